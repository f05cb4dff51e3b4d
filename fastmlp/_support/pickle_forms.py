"""The forms of our pickles: each state says which one it has, and other forms are refused."""

from __future__ import annotations


def check_pickle_form(what: str, form: int | None, known: int) -> None:
    """Refuse the state of an object that another version of fastmlp pickled in another form.

    Parameters
    ----------
    what : str
        The object, for the message.
    form : int or None
        What the state says; those of fastmlp 0.1 and 0.2 say nothing.
    known : int
        The form that this version reads.

    Raises
    ------
    ValueError
        The message says how to carry a model over.

    Examples
    --------
    >>> check_pickle_form("this model", 1, 1)
    >>> check_pickle_form("this model", None, 1)
    Traceback (most recent call last):
    ValueError: this model was pickled by fastmlp 0.2 or earlier, in a form that this version does not read.
    Load it with the version that wrote it, save the model with model.save(path), and load that file here with
    fastmlp.load(path).
    """
    if form == known:
        return
    by = "fastmlp 0.2 or earlier"
    if form is not None:
        by = f"another version of fastmlp (form {form!r}, not {known})"
    raise ValueError(
        f"{what} was pickled by {by}, in a form that this version does not read. Load it with the version "
        "that wrote it, save the model with model.save(path), and load that file here with "
        "fastmlp.load(path)."
    )
