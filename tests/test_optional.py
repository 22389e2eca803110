import sys

import pytest

from mim_tf.cli.export import export
from mim_tf.errors import MimError
from mim_tf.prediction.forecasters import from_export
from mim_tf.runtime.optional import import_tensorflow


def test_what_is_installed_is_imported():
    assert import_tensorflow("to test").__name__ == "tensorflow"


def open_export(folder):
    (folder / "1").mkdir()
    (folder / "1" / "saved_model.pb").touch()
    from_export(folder)


@pytest.mark.parametrize(
    ("use", "purpose"),
    [
        (lambda folder: import_tensorflow("to test"), "to test"),
        (lambda folder: export(folder / "a.h5", folder), "to export a model"),
        (open_export, "to predict with an export"),
    ],
)
def test_what_is_not_installed_is_named_with_its_purpose(monkeypatch, tmp_path, use, purpose):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    message = f"^TensorFlow is needed {purpose} and is not installed: pip install tensorflow"
    with pytest.raises(MimError, match=message):
        use(tmp_path)
