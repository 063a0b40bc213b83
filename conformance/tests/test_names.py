from conformance.names import dynamic, fill, look, used


def test_a_whole_name_keeps_its_type() -> None:
    """
    A string that is nothing but a name becomes the value; inside a longer string it becomes text.
    """
    assert fill({"a": "${n}", "b": ["x${n}", "${o.k}"]}, {"n": 3, "o": {"k": None}}) == {"a": 3, "b": ["x3", None]}


def test_unknown_names_stand() -> None:
    """
    Names that nobody knows yet stay as they are, also behind a dot.
    """
    assert fill("${a}${b}${b.c}", {"b": 1}) == "${a}1${b.c}"
    assert fill("${b.c}", {"b": 1}) == "${b.c}"


def test_used_names_are_found() -> None:
    """
    Every name is found with its place.
    """
    assert list(used({"a": ["${x}-${y}"]})) == [(("a", 0), "x"), (("a", 0), "y")]
    assert dynamic(["${x}"])
    assert not dynamic(["$x", "{x}"])


def test_values_are_not_filled_again() -> None:
    """
    What a name stands for is not looked into.
    """
    assert fill("${a}", {"a": "${b}", "b": 1}) == "${b}"
    assert look("a", {"a": 0}) == 0
