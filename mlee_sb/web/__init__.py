"""A page in the browser and an HTTP API: `mlee serve`. It needs the extra `web`."""
