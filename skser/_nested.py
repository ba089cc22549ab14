"""Estimators inside of others.

The command line imports this file, so it imports neither pandas nor scikit-learn.
"""


def estimators_in(root):
    """Yield an object and all estimators in its attributes, at any depth, each once.

    Parameters
    ----------
    root : object
        Model, or a list of estimators, which is not itself yielded.

    Yields
    ------
    object
    """
    waiting, seen = [root], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:  # estimators may share parts or refer to each other
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list | tuple):
            waiting += part
        elif part is root or (hasattr(part, "get_params") and not isinstance(part, type)):
            yield part
            waiting += vars(part).values()
