"""What schemathesis is told beside the description (fuzz_test.py): relations between values, which no schema can say, and where the tool is wrong."""
import json
import os
import re

import requests
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, ServerError
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData

URL = os.environ["EMEND_FUZZ_URL"]
BEARER = {"Authorization": "Bearer " + os.environ["EMEND_FUZZ_TOKEN"]}
HEAD = os.environ["EMEND_FUZZ_HEAD"]  # commit of atlas@main
IMPORT = os.environ["EMEND_FUZZ_IMPORT"]  # an operation that has ended
# No such repo: what a worker would answer ends there, after the whole request was read and before half a minute's wait for a worker.
NOWHERE = "nowhere"
# Patterns name characters up to U+FFFF, so that any engine reads them; joiners are taken after letters that need them.
UNSEEN = re.compile("[\u200c\u200d\U000e0000-\U000e001f\U000e0080-\U000e0fff]")
drawn = 0


def is_whole(case, location):
    """Whether nothing is wrong on purpose there."""
    return case.meta is not None and not case.meta.is_negative_at(location)


def texts_of(probes):
    return sum(map(texts_of, probes)) if isinstance(probes, list) else int(probes is not None)


def relate_fact(fact):
    """A fact whose fields agree: its old target is another one than its target, its neighbours go by one name, and its texts are seen."""
    fact = json.loads(UNSEEN.sub("_", json.dumps(fact, ensure_ascii=False)))
    if str(fact.get("old_target")).strip() == str(fact["target"]).strip():
        del fact["old_target"]
    if "neighbours" in fact:
        fact.pop("neighbors", None)
    for name in ("paraphrases", "neighbours", "neighbors", "portability"):
        if texts_of(fact.get(name)) > 256:
            del fact[name]
    return fact


def within(text, low, high):
    return min(max(float(text), low), high)


def relate_settings(settings):
    """Texts hold what a number may be; layers ascend."""
    layers = settings.get("layers")
    if isinstance(layers, str):
        settings["layers"] = ",".join(map(str, sorted(set(map(int, layers.split(","))))))
    for name, value in settings.items():
        if name != "layers" and isinstance(value, str):
            settings[name] = "1"
    return settings


def relate_body(operation, body):
    if operation in ("createCommit", "createEvaluation", "createTuning", "putProbes"):
        body = {**body, "facts": [relate_fact(fact) for fact in body["facts"]]}
    if operation in ("createCommit", "createRefit"):
        if "settings" in body:
            body["settings"] = relate_settings(dict(body["settings"]))
        if "require" in body:
            body["require"] = {name: within(value, 0, 100) if isinstance(value, str) else value for name, value in body["require"].items()}
    # What a path may be the machine says; that it lies below no model root is told first.
    for operation_id, field in (("importRepo", "model"), ("createExport", "folder")):
        if operation == operation_id:
            body = {**body, field: "/nowhere"}
    if operation == "removeRepo":
        body = {"repo": NOWHERE}
    if operation == "createCompletion":
        body = {**body, "model": NOWHERE}
        is_list = isinstance(body["prompt"], list) and not isinstance(body["prompt"][0], (int, float))
        prompts = len(body["prompt"]) if is_list else 1
        if prompts * (body.get("n") or 1) > 64:
            body["n"] = 1
        if body.get("best_of") is not None:
            body["best_of"] = body.get("n") or 1
    if operation == "createChatCompletion":
        body = {**body, "model": NOWHERE, "logprobs": True}
    return body


def relate_conditions(case):
    """Exactly one of If-Match and If-None-Match, or, to delete, the first."""
    if case.method == "PUT" and "If-None-Match" in case.headers:
        case.headers.pop("If-Match", None)
    elif case.method in ("PUT", "DELETE") and case.operation.label.endswith("{name}"):
        case.headers["If-Match"] = f'"{HEAD}"'


@schemathesis.hook
def before_call(context, case, kwargs):
    global drawn
    drawn += 1
    operation = case.operation.definition.raw.get("operationId")
    if case.path_parameters and is_whole(case, ParameterLocation.PATH):
        place = case.path_parameters
        if "repo" in place:
            is_elsewhere = operation == "removeRepo" or (operation == "ask" and is_whole(case, ParameterLocation.BODY))
            place["repo"] = NOWHERE if is_elsewhere else "atlas"
        if "name" in place and case.method == "GET" and drawn % 2:
            place["name"] = "main"
        if "revision" in place and drawn % 2:
            place["revision"] = "main"
        # What has not ended is streamed until it has.
        if "{id}/events" in case.path or (operation == "readOperation" and drawn % 2):
            place["id"] = IMPORT
    if case.query and is_whole(case, ParameterLocation.QUERY):
        if "wait" in case.query:
            case.query["wait"] = "1ms"
        if operation == "diffCommits" and drawn % 2:
            case.query.update({"from": "main", "to": "main"})
    if is_whole(case, ParameterLocation.HEADER):
        relate_conditions(case)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = f"key {drawn}"  # one of its own: another request under a key is refused
    if isinstance(case.body, dict) and is_whole(case, ParameterLocation.BODY):
        case.body = relate_body(operation, case.body)
    elif operation in ("createCompletion", "createChatCompletion") and isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
        case.body["model"] = "atlas" if case.body["model"][:1] not in ("", "@") else case.body["model"]


@schemathesis.hook
def after_call(context, case, response):
    """What was accepted waits for a worker for ever: it is cancelled, so that no queue fills. Tokens that were made are revoked."""
    place = response.headers.get("location")
    if place and response.status_code in (201, 202):
        requests.delete(URL + place[0], headers=BEARER, timeout=10)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # Described: no worker is connected.
    if isinstance(failure, ServerError) and response.status_code == 503:
        return "503" not in case.operation.definition.raw["responses"]
    if isinstance(failure, AcceptedNegativeData):
        return not any_prompt_holds_its_subject(case.body)
    # The tool takes a header that it made wrong, and says so, into cases that it calls right.
    if isinstance(failure, RejectedPositiveData):
        return not any(component.mode.is_negative for component in case.meta.components.values())
    return True


def any_prompt_holds_its_subject(body):
    """The pattern of a prompt asks for "{}"; one that holds the subject once is taken, too, as the description says."""
    facts = body.get("facts") if isinstance(body, dict) else None
    return any(isinstance(fact, dict) and str(fact.get("subject")) in str(fact.get("prompt")) for fact in facts or [])
