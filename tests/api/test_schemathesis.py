"""The API against its own OpenAPI document: requests of every kind, right and wrong, to a server that delivers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest
import schemathesis
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.core.parameters import ParameterLocation
from support.client import Client
from support.destination import destination
from support.installation import Installation, to
from support.openapi import closed, operations
from support.served import served
from support.signed import REGION, SERVICE, botocore_signed
from support.zones import Folder

from api.credential import Credential
from api.openapi.document import document
from api.openapi.examples import GROUP
from api.uploads import SECONDS

SETTINGS = {
    "seed": 1,
    "generation": {"max-examples": 50, "deterministic": True, "database": "none", "with-security-parameters": False},
    # The document cannot know the rules of a group.
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "403", "404", "422"]}},
}
ATTRIBUTES = {"email": {"type": "email"}, "consent": {"type": "boolean"}}
DATA = {"email": {"type": "string", "pattern": "^[a-z]{1,5}@example.(com|org)$"}, "consent": {"enum": [True, "no", 7]}}

SEEN: defaultdict[str, set[int]] = defaultdict(set)


def told() -> schemathesis.BaseSchema:
    """The document, in which nothing may be answered that is not told of; half of all requests are for our group."""
    strict = closed(document())
    schemas = strict["components"]["schemas"]
    for name in ("NewRecord", "NewUpload"):
        schemas[name]["properties"]["group_key"] = {"enum": [GROUP, "somebody-s"]}
    data = schemas["NewRecord"]["properties"]["data"]
    data["properties"] = {name: {"anyOf": [often, data["additionalProperties"]]} for name, often in DATA.items()}
    name = strict["paths"]["/v1/uploads"]["put"]["parameters"][0]
    name["schema"] = {"anyOf": [{"type": "string", "pattern": f"^{GROUP}/[^\\u0000]{{1,20}}[.]csv$"}, name["schema"]]}
    return schemathesis.openapi.from_dict(strict, config=schemathesis.Config.from_dict(SETTINGS))


class Signing(AuthBase):
    """Signs requests as they are about to be sent."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.url = str(request.url).replace("+", "%20")  # requests writes queries as forms do
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        kinds = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        assert request.method is not None
        request.headers.update(botocore_signed(request.method, request.url, body, self._credential, headers=kinds))
        return request


class Presigning(AuthBase):
    """Signs the URLs of requests, whatever signatures they were drawn with."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        address, _, query = str(request.url).partition("?")
        plain = "&".join(part for part in query.split("&") if not part.startswith("X-Amz-"))
        unsigned = AWSRequest(request.method, f"{address}?{plain}")
        keys = Credentials(self._credential.id, self._credential.secret)
        S3SigV4QueryAuth(keys, SERVICE, REGION, expires=SECONDS).add_auth(unsigned)  # S3's: the body is not signed
        request.url = unsigned.url
        return request


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with destination() as receiver:
        home = tmp_path_factory.mktemp("api")
        it = Installation(home, Folder(home / "drop"))
        it.group(GROUP, attributes=ATTRIBUTES, integrations={"hook": to(receiver.base)})
        with served(it, delivers=True) as server:
            client = server.client(GROUP)
            assert client.post({"email": "anna@example.com"}, GROUP, {"Prefer": "wait=30"}).status == 200
            yield client


def every_answer_is_as_told(case: schemathesis.Case, there: Client) -> None:
    _aim(case, there)
    response = case.call_and_validate(base_url=there.base, auth=_auth(case, there.credential))
    SEEN[case.operation.label].add(response.status_code)


# One test for each operation, since those of one `parametrize` all have the same id, of which xdist runs but one.
for _, _, operation in operations(document()):
    name = operation["operationId"]
    globals()[f"test_every_answer_of_{name}"] = told().include(operation_id=name).parametrize()(every_answer_is_as_told)


def test_right_requests_were_among_them() -> None:
    if not SEEN:
        pytest.skip("the tests before this one were not run")
    for path, method, operation in operations(document()):
        seen = SEEN[f"{method.upper()} {path}"]
        assert seen >= {int(status) for status in operation["responses"] if status.startswith("2")}
        assert any(400 <= status < 500 for status in seen)


def _aim(case: schemathesis.Case, client: Client) -> None:
    """Let every other right request be for what is there: a record that has just been taken, the newest batch."""
    if _is_wrong(case, ParameterLocation.PATH) or len(str(case.path_parameters)) % 2:
        return
    if "record_id" in case.path_parameters:
        case.path_parameters["record_id"] = client.post({"email": "anna@example.com"}, GROUP).record
    if "batch" in case.path_parameters:
        case.path_parameters["batch"] = client.get("/v1/batches", limit=1).json["batches"][0]["batch"]


def _is_wrong(case: schemathesis.Case, place: ParameterLocation) -> bool:
    return case.meta is not None and case.meta.is_negative_at(place)


def _auth(case: schemathesis.Case, credential: Credential) -> AuthBase | None:
    if (case.method, case.path) != ("PUT", "/v1/uploads"):
        return Signing(credential)
    return None if _is_wrong(case, ParameterLocation.QUERY) else Presigning(credential)
