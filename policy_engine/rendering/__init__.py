"""A value of ours -> str, nothing else: one small file per format."""
