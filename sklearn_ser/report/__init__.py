"""What a person looks at: pages, figures, and the clips shown in them."""
