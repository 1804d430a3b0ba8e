"""What is: frozen values that every stage shares. Imports nothing of ours, does no input or output."""
