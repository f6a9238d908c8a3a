"""What answers uploads over HTTP: predictions, embeddings, and what is near."""
