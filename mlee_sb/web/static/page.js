"use strict";
// The page sends each recording to the server and shows the piece of HTML that comes back. It keeps the sound to play it.

const RATE = 16000;  // Hz of what is recorded here, as models take it
const SAMPLE_BYTES = 2;
const MILLION = 1e6;
const limits = document.body.dataset;
const byId = name => document.getElementById(name);
const answers = byId("answers"), speak = byId("speak"), drop = byId("drop"), files = byId("files");

function say(words) {
  byId("said").textContent = words;
}

function chosenModel() {
  return byId("hub")?.value.trim() || byId("model").value;
}

// Answers

function newCard(file) {
  const card = byId("card").content.firstElementChild.cloneNode(true);
  card.querySelector("h2").textContent = file.name;
  card.querySelector("audio").src = URL.createObjectURL(file);
  return card;
}

function removeCard(card) {
  URL.revokeObjectURL(card.querySelector("audio").src);
  card.remove();
}

async function ask(file) {
  if (file.size > limits.megabytes * MILLION) throw new Error(`larger than ${limits.megabytes} MB, the most that this server takes`);
  const form = new FormData();
  form.append("model", chosenModel());
  form.append("file", file);
  let response;
  try {
    response = await fetch("answer", { method: "POST", body: form });
  } catch {
    throw new Error("the server does not answer: is it still running?");
  }
  if (response.ok) return response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  throw new Error(isJson ? (await response.json()).error : `the server says ${response.status} ${response.statusText}: try again`);
}

async function fill(card, file) {
  const place = card.querySelector(".answer");
  try {
    place.innerHTML = await ask(file);  // the server has escaped every text in it
  } catch (error) {
    const words = document.createElement("p");
    words.className = "error";
    words.textContent = error.message;
    place.replaceChildren(words);
  }
}

function answer(list) {
  say("");
  const given = [...list], cards = given.map(newCard);
  answers.prepend(...cards);
  cards.forEach((card, number) => fill(card, given[number]));
}

// Files

files.addEventListener("change", () => {
  answer(files.files);
  files.value = "";  // the same file may be chosen again
});
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  document.addEventListener(name, event => {
    event.preventDefault();
    drop.classList.toggle("over", over);
  });
}
document.addEventListener("drop", event => {
  if (event.dataTransfer.files.length) answer(event.dataTransfer.files);
});

// Microphone

let recorder = null, recorded = 0;

speak.addEventListener("click", () => recorder ? recorder.stop() : record());

async function record() {
  say("");
  if (!navigator.mediaDevices) {
    say("A browser gives the microphone only to pages of the same machine (localhost) or with https.");
    return;
  }
  let stream;
  try {  // as recordings of a corpus are: not processed
    stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  } catch (error) {
    say(`The microphone cannot be used (${error.message}): connect one, and allow this page to use it.`);
    return;
  }
  const parts = [], begun = Date.now();
  recorder = new MediaRecorder(stream);
  recorder.addEventListener("dataavailable", event => parts.push(event.data));
  const clock = setInterval(() => {
    const seconds = Math.floor((Date.now() - begun) / 1000);
    show(`Stop (${seconds} s)`);
    if (seconds >= longestSeconds()) recorder.stop();
  }, 200);
  recorder.addEventListener("stop", async () => {
    clearInterval(clock);
    recorder = null;
    speak.classList.remove("recording");
    show("Speak");
    stream.getTracks().forEach(track => track.stop());
    try {
      const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await new Blob(parts).arrayBuffer());
      answer([new File([wav(sound)], `recording ${++recorded}.wav`, { type: "audio/wav" })]);
    } catch {
      say("Nothing was recorded: speak a little longer.");
    }
  });
  recorder.start();
  speak.classList.add("recording");
  show("Stop (0 s)");
}

// A second less than the server takes: the clock does not look all the time, and the request is a little larger than the sound.
function longestSeconds() {
  return Math.max(1, Math.floor(Math.min(limits.minutes * 60, limits.megabytes * MILLION / (SAMPLE_BYTES * RATE))) - 1);
}

function show(words) {
  speak.querySelector(".words").textContent = words;
}

// A WAV file of the first channel of an AudioBuffer, 16 bits: what a browser records, the server cannot read.
function wav(sound) {
  const samples = sound.getChannelData(0), view = new DataView(new ArrayBuffer(44 + SAMPLE_BYTES * samples.length));
  const text = (at, word) => [...word].forEach((letter, k) => view.setUint8(at + k, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + SAMPLE_BYTES * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);  // PCM
  view.setUint16(22, 1, true);  // channels
  view.setUint32(24, sound.sampleRate, true);
  view.setUint32(28, SAMPLE_BYTES * sound.sampleRate, true);
  view.setUint16(32, SAMPLE_BYTES, true);
  view.setUint16(34, 8 * SAMPLE_BYTES, true);
  text(36, "data");
  view.setUint32(40, SAMPLE_BYTES * samples.length, true);
  samples.forEach((sample, k) => view.setInt16(44 + SAMPLE_BYTES * k, 32767 * Math.max(-1, Math.min(1, sample)), true));
  return view.buffer;
}

// Play from where it is clicked

answers.addEventListener("click", event => {
  const card = event.target.closest(".card"), sound = card?.querySelector("audio");
  const picture = event.target.closest(".plays"), stretch = event.target.closest("[data-at]");
  if (event.target.closest(".remove")) removeCard(card);
  else if (stretch) playFrom(sound, Number(stretch.dataset.at));
  else if (picture) playFrom(sound, timeAt(picture, event.clientX));
});

function playFrom(sound, seconds) {
  sound.currentTime = seconds;
  sound.play().catch(() => say("This browser cannot play this recording."));
}

function timeAt(picture, x) {
  const { seconds, begins, ends } = picture.dataset, box = picture.getBoundingClientRect();
  const share = ((x - box.left) / box.width - begins) / (ends - begins);
  return seconds * Math.max(0, Math.min(1, share));
}

answers.addEventListener("timeupdate", event => {
  const cursor = event.target.closest(".card").querySelector(".cursor");
  if (!cursor) return;
  const { seconds, begins, ends } = cursor.parentElement.dataset;
  cursor.hidden = false;
  cursor.style.left = `${100 * (Number(begins) + event.target.currentTime / seconds * (ends - begins))}%`;
}, true);  // this event does not bubble
