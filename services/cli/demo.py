"""x"""


def demo() -> None:
    """Later."""
