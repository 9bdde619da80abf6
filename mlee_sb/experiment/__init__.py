"""What the recipes do: a command line becomes manifests, a plan, and trained, scored stages."""
