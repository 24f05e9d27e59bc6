"""Learn from feedback: users grade answers, and each kind of question finds its model.

The cheap model talks well about the weather and cannot add. Nobody tells SLS so: every other user
grades the answer that they got, by the decision's id. It prints:

    sums: of the last 30, large answered nearly all
    weather: of the last 30, small answered nearly all
"""

import itertools
from collections import Counter

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import CacheSettings, Candidate, Settings, build

settings = Settings(
    candidates=[
        Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15),
    ],
    cache=CacheSettings(enabled=False),  # to see every choice
    encoder="hashing",  # needs no weights; leave this line out for the better default
)
models = {
    "small": ScriptedChatModel(model_name="small", reply="Sunny, I think. Or 12."),
    "large": ScriptedChatModel(model_name="large", reply="Sunny, and the sum is right."),
}


def thumb(task: str, name: str) -> float:
    """What users think of an answer: only the cheap model's sums are bad."""
    return 0.0 if task == "sums" and name == "small" else 1.0


def habit(names: list[str]) -> str:
    """Who answers, and how regularly."""
    [(name, times)] = Counter(names).most_common(1)
    return f"{name} answered {'nearly all' if times >= 0.9 * len(names) else 'most'}"


numbers = itertools.count()
with build(settings, ids=lambda: f"decision-{next(numbers)}") as engine:
    chat = ChatSLS(engine, models)
    chosen: dict[str, list[str]] = {"sums": [], "weather": []}
    for day in range(240):
        for task, question in (
            ("sums", f"How much is {day} plus {7 * day}?"),
            ("weather", f"How will the weather be on day {day}?"),
        ):
            message = chat.invoke(question, sls_task=task)
            sls = message.response_metadata["sls"]
            chosen[task].append(sls["candidate"])
            if day % 2 == 0:  # every other user says what they think, now or days later
                grade = thumb(task, sls["candidate"])
                engine.feedback(sls["decision_id"], grade, source="thumb")

for task, names in chosen.items():
    print(f"{task}: of the last 30, {habit(names[-30:])}")
