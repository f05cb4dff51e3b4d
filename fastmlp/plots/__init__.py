"""Pictures of models and runs, drawn with matplotlib: ``pip install 'fastmlp[plot]'``.

Every function returns the figure, which a notebook shows when it is a cell's last line and ``savefig`` writes
to a file; with ``ax=`` or ``figure=`` it draws into yours. No display is needed, pyplot's state and
``matplotlib.rcParams`` stay as they are, and matplotlib is imported when the first picture is drawn.

- `curves`: loss and score over the epochs; `comparison`: the scores of several runs beside each other
- `confusion_matrix`, `misclassified`, `decision_boundary`: what a model takes for what
- `first_layer`: the first layer's weights as an image
- `heat_map`: the scores of a grid search; `gradient_check_table` and
  `gradient_check_errors`: a `fastmlp.gradient_check`
- `style`: the style of them all, for pictures of your own
"""

from fastmlp.plots.comparisons import comparison
from fastmlp.plots.confusion_matrices import confusion_matrix
from fastmlp.plots.decision_boundaries import decision_boundary
from fastmlp.plots.gradient_checks import gradient_check_errors, gradient_check_table
from fastmlp.plots.heat_maps import heat_map
from fastmlp.plots.images import first_layer, misclassified
from fastmlp.plots.style import style
from fastmlp.plots.training_curves import curves

__all__ = [
    "comparison",
    "confusion_matrix",
    "curves",
    "decision_boundary",
    "first_layer",
    "gradient_check_errors",
    "gradient_check_table",
    "heat_map",
    "misclassified",
    "style",
]
