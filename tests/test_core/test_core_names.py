import pytest

from kai_erp import core


@pytest.mark.parametrize("name", core.__all__)
def test_every_public_name_is_a_class_of_the_package(name: str) -> None:
    public = getattr(core, name)
    assert isinstance(public, type)
    assert (public.__name__, public.__module__.startswith("kai_erp.core.")) == (name, True)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        core.Nope  # noqa: B018  # the look-up is what is tested
