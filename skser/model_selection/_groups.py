"""Groups of the rows that an inner estimator is given, several of them per utterance."""

from sklearn import get_config
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.validation import has_fit_parameter


def groups_of_rows(owner, groups, rows):
    """Keywords that hand the groups of the rows to the inner `fit`, if it takes them.

    Parameters
    ----------
    owner : estimator
        Has the inner one as ``owner.estimator``.
    groups : array-like of shape (n_utterances,) or None
        None makes every utterance a group of its own, so that an inner split of the rows
        has an utterance on one side.
    rows : ndarray of shape (n_rows,), int
        Utterance of each row.

    Returns
    -------
    dict
        Empty if the inner `fit` takes no groups.
    """
    repeated = rows
    if groups is not None:
        repeated = column_or_1d(groups)[rows]
    if get_config()["enable_metadata_routing"]:
        wanted = get_routing_for_object(owner.estimator).consumes("fit", ["groups"])
        if groups is None and not wanted:
            return {}
        return process_routing(owner, "fit", groups=repeated).estimator.fit
    name = _name_of_groups(owner.estimator)
    return {} if name is None else {name: repeated}


def _name_of_groups(estimator):
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        name = _name_of_groups(last)
        return name and f"{step}__{name}"
    takes = has_fit_parameter(estimator, "groups")
    return "groups" if takes or isinstance(estimator, GridSearchCV | RandomizedSearchCV) else None


def routing_to_inner(owner):
    """What `get_metadata_routing` returns: all that `fit` is given goes to the inner `fit`."""
    return MetadataRouter(owner=owner).add(
        estimator=owner.estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit")
    )
