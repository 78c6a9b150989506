"""Whether what the gateway publishes is what its contract says, for tests.

Here: one CloudEvent against its model. Recorded traffic against the schemas is in
`support.traffic`.
"""

from typing import Any

from hall_gateway.contract import EVENTS
from pydantic import ValidationError


def fault_of(emit: Any) -> str | None:
    """What is wrong with an Emit, and where its model is; None when nothing is."""
    registered = EVENTS.get(emit.type)
    if registered is None:
        return f"{emit.type}: no such type; give it a model in hall_gateway/contract"
    about = "hall" if emit.subject == "hall" else emit.subject.partition("/")[0]
    if about not in registered.about:
        return f"{emit.type}: the subject {emit.subject} is none of {registered.about}"
    try:
        registered.data.model_validate(emit.data)
    except ValidationError as error:
        name = f"{registered.data.__module__}.{registered.data.__name__}"
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        return f"{emit.type}: {emit.data} is no {name}: {'; '.join(wrong)}"
    return None
