"""Component: Explain the run in one HTML page that needs no network."""

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def render_report(
    results: Input[Dataset],
    report: Output[HTML],
) -> None:
    """Explain the run in one HTML page that needs no network.

    Args:
        results: The results folder.
        report: The report.
    """
    from sparkhu.stages.reporting import render_report as render

    report.metadata.update(render(results.path, out=report.path))
