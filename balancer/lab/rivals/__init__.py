"""What ours is compared with: other ways to find moves, under the same facts, laws and limits."""
