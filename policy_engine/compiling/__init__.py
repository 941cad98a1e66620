"""Tree -> meaning: a checked document becomes a `Policy`, or every reason why it cannot."""
