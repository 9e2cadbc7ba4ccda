//! Rules that join layers: what each file says is sound by itself, and together they lose messages.
