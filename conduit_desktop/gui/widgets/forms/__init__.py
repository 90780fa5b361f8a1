"""Forms, editors and dialogs."""
