"""Pages from the templates in Jinja2: all of one style, each in one file."""

import jinja2

from mim_tf.report import charts


def render_page(kind: str, title: str, **values: object) -> str:
    """The page that `KIND.html.j2` makes of `values`.

    Args:
        kind: report, comparison or data.
        title: of the window.
        values: what the template names; one that is missing is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mim_tf.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template(f"{kind}.html.j2")
    return template.render(kind=kind, title=title, chart_size=charts, **values)


def mark(kind: str) -> str:
    """What every page of `kind` has at its beginning, and no other file."""
    return f'<meta name="generator" content="mim_tf {kind}">'
