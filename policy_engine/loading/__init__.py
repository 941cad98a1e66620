"""Text -> tree: files, YAML, shapes; policies found by name, histories read from every form they come in."""
