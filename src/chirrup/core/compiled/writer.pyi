from chirrup.core.writing import write as write
from chirrup.core.writing import write_again as write_again
from chirrup.core.xml import Element, Received

def prepare(element: type[Element], received: type[Received]) -> None: ...
