"""How much is trained in a second where several trainings share a device: one process a fold, as recipes/table3.py --jobs starts them."""

from concurrent.futures import ThreadPoolExecutor

from measure import Result, by_turns, in_own_process


def milliseconds_an_utterance(n_at_once: int, utterances: int, device: str) -> float:
    """Of all trainings together, in bf16, with one CPU thread each; the mean of the processes' own clocks."""
    words = ("training_step.py", "ours_bf16", utterances, "--device", device)
    with ThreadPoolExecutor(n_at_once) as trainings:
        milliseconds = list(trainings.map(lambda _: in_own_process(*words, threads=1), range(n_at_once)))
    return sum(milliseconds) / n_at_once / n_at_once


def measure(numbers: list[int], repeats: int, utterances: int, device: str) -> Result:
    """For each number of trainings at once; the ratio is the throughput against the first number."""
    candidates = {
        f"{n} training{'s' if n > 1 else ''} at once": lambda n=n: milliseconds_an_utterance(n, utterances, device) for n in numbers
    }
    name = f"trainings that share the device {device}, bf16, one CPU thread each"
    return by_turns(name, "ms an utterance of all", candidates, repeats)
