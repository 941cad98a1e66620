"""The nouns: a policy, a history, an evaluation, and their parts. Frozen dataclasses, hardly any behaviour."""
