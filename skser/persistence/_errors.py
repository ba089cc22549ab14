"""The one error of this room."""


class SavedModelError(ValueError):
    """A model that cannot be saved, or a file that is refused; the message says why."""
