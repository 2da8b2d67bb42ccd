"""What tenant the simulator plays, and how it behaves where real servers are known to differ."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, PositiveInt

UnauthorizedBody = Literal["json", "text", "empty"]
Language = Literal["en", "de"]
Status = Annotated[int, Field(ge=200, le=599)]
LakeFormat = Literal["csv", "json"]
LakeTimestamps = Literal["utc", "wall_clock"]
Duration = Annotated[float, Field(ge=0)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name} is no time zone") from None
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
TableTemplate = Annotated[str, Field(pattern=r"^[^{}]*\{table\}[^{}]*$")]
SiteRef = Annotated[str, Field(min_length=1, max_length=8)]


@dataclass(frozen=True, slots=True)
class Switches:
    """How a server behaves: one switch for each uncertain point; all can be turned while it runs."""

    default_cap: PositiveInt = 200
    max_cap: PositiveInt | None = None
    latency_ms: Annotated[float, Field(ge=0, le=600_000)] = 0.0

    accept_basic: bool = True
    """Whether the token endpoint takes client credentials in the Authorization header."""
    accept_body: bool = True
    """Whether it takes them in the form."""
    accept_client_credentials: bool = False
    """Whether it grants tokens without a service account."""
    unauthorized_body: UnauthorizedBody = "json"
    """What a 401 of the gateway carries."""
    bad_configuration_status: Status = 401
    """The status for a missing or unknown X-Infor-MongooseConfig; 200 answers with Success false."""
    bad_direct_token_status: Status = 401
    """The status for a bad direct token; 200 answers with Success false."""
    unknown_ido_status: Status = 200
    """The status for an unknown IDO."""
    malformed_bookmark_status: Status = 200
    """The status for a bookmark that does not parse; 200 answers with Success false."""

    case_strict_names: bool = False
    empty_items_null: bool = False
    omit_item_id: bool = False
    omit_more_rows_exist: bool = False
    response_lowercase_keys: bool = False
    plus_is_not_blank: bool = False
    """Whether a literal `+` in the query is a plus."""
    double_quote_anywhere: bool = True
    """Whether a double quote is refused even inside a literal of a filter."""
    filter_derived: bool = False
    """Whether derived properties may be filtered and sorted; unbound ones never may."""
    info_success_false: bool = False
    language: Language = "en"
    """The language of the texts that refuse a load."""
    direct_token_serial: bool = False
    """Whether two requests at once with one direct token end its session: the later one is refused."""
    big_page_limit: PositiveInt | None = None
    """Pages above this many rows time out at the gateway: 504."""
    max_query_bytes: PositiveInt | None = None
    """Longer query strings are not found: 404 with an HTML body."""
    drop_properties: Mapping[str, frozenset[str] | set[str]] = field(default_factory=dict)
    """Properties that this tenant lacks, by IDO."""

    lake_table_template: TableTemplate = "{table}"
    """What the lake calls a table of the ERP."""
    lake_site: SiteRef = "MAIN"
    """The site that the rows of the plant name in site_ref."""
    lake_other_site: SiteRef | None = None
    """Another site: a third of all rows exists there too, with other quantities."""
    lake_lacks: frozenset[str] = frozenset()
    """Tables (`job`) and columns (`job.item`) that are not replicated to the lake."""
    lake_timestamps: LakeTimestamps = "utc"
    """Whether the lake holds instants, or the ERP's wall clock as if it were UTC."""
    lake_zone: Zone = "America/Chicago"
    """The zone of the ERP's wall clock."""
    lake_lag_seconds: Duration = 0.0
    """How long a change of the ERP is under way to the lake; without a lag it is there at once."""
    lake_batch_seconds: Duration = 300.0
    """What is under way lands in batches: each time this many seconds have passed."""
    lake_job_seconds: Duration = 0.0
    """How long each job runs at least."""
    lake_first_touch_seconds: Duration = 0.0
    """How much longer it runs for each table that is new to the lake, or has changed since it was read."""
    lake_job_limit_seconds: Duration = 3600.0
    """A job that runs as long as this fails."""
    lake_result_seconds: Duration = 72_000.0
    """How long a job that has ended is known."""
    lake_page_bytes: PositiveInt = 10_000_000
    """A page above this many bytes is refused."""
    lake_default_format: LakeFormat = "csv"
    """The format of a result when the client accepts anything."""
    lake_submits_per_minute: PositiveInt | None = 100
    lake_statuses_per_minute: PositiveInt | None = 1000
    lake_results_per_minute: PositiveInt | None = 10_000
    lake_retry_after: bool = False
    """Whether the answer to too many calls says when to come back."""


@dataclass(frozen=True, slots=True)
class SimulatorOptions(Switches):
    """A tenant, its credentials (all made up) and its switches."""

    tenant: str = "DEMO_TRN"
    suite: str = "CSI"
    configurations: tuple[str, ...] = ("DEMO_TRN_MAIN",)
    client_id: str = "DEMO_TRN~not-a-real-client"
    client_secret: str = field(default="not-a-real-secret", repr=False)
    saak: str = "DEMO_TRN#not-a-real-account"
    sask: str = field(default="not-a-real-key", repr=False)
    username: str = "demo"
    password: str = field(default="not-a-real-password", repr=False)
    token_seconds: float = 7200
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    """Seconds that pass for the ERP and the lake."""


def ionapi_document(base_url: str, options: SimulatorOptions) -> dict[str, str]:
    """Return the credentials file (.ionapi) of a simulator at `base_url`."""
    base = base_url.rstrip("/")
    return {
        "ti": options.tenant,
        "cn": "kai-erp simulator",
        "dt": "12",
        "ci": options.client_id,
        "cs": options.client_secret,
        "iu": base,
        "pu": f"{base}/{options.tenant}/as/",
        "oa": "authorization.oauth2",
        "ot": "token.oauth2",
        "or": "revoke_token.oauth2",
        "ev": "SIMULATOR",
        "v": "1.0",
        "saak": options.saak,
        "sask": options.sask,
    }
