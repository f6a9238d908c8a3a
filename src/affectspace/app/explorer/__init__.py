"""The page on which people look at spaces, listen and correct: what it asks, and the page itself."""
