"""Judges that come with SLS: each grades an answer by one rule."""
