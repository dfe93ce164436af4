from chirrup.core.reader import Reader as Reader
from chirrup.core.xml import Element, Received

def prepare(element: type[Element], received: type[Received]) -> None: ...
