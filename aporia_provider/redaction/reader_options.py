"""Options of readers whose values are shown and stored."""

from __future__ import annotations

from aporia_provider.redaction.text import hide_in_text
from aporia_provider.redaction.urls import HIDDEN, shown_url

_FILES = """
    basepath compression encoding charset ignorecorruptfiles ignoremissingfiles mode modifiedafter
    modifiedbefore path pathglobfilter recursivefilelookup samplingratio timezone locale
"""
_CSV = """
    allowtruncatedrows chartoescapequoteescaping columnnameofcorruptrecord comment dateformat delimiter
    emptyvalue enabledatetimeparsingfallback enforceschema escape fileextension header hasheader
    ignoreleadingwhitespace ignoretrailingwhitespace inferschema linesep maxcharspercolumn maxcolumns
    nanvalue negativeinf newlinesinvalues nullregex nullvalue positiveinf preferdate quote
    multiline schemainfermaxrecords sep terminator timestampformat timestampntzformat truncatedrows
    unescapedquotehandling
"""
_JSON = """
    allowbackslashescapinganycharacter allowcomments allownonnumericnumbers allownumericleadingzeros
    allowsinglequotes allowunquotedcontrolchars allowunquotedfieldnames dropfieldifallnull prefersdecimal
    primitivesasstring
"""
_PARQUET = """
    binaryasstring bloomfilteronread coerceint96 datetimerebasemode enablepageindex int96rebasemode
    maxpredicatecachesize mergeschema metadatasizehint pruning pushdownfilters reorderfilters
    schemaforceviewtypes skipmetadata
"""
_DELTA = """
    deltalogreplaystrategy endingtimestamp endingversion ignorechanges ignoredeletes metadataasdataread
    readchangefeed readchangedata skipchangecommits startingtimestamp startingversion
    timestampasof versionasof
"""
_S3 = """
    fs.s3a.connection.ssl.enabled fs.s3a.endpoint.region fs.s3a.path.style.access
    fs.s3a.requester.pays.enabled region
"""
_DATABASES = """
    autopushdown batchsize dataset dbname dbtable driver fetchsize isolationlevel lowerbound
    materializationdataset materializationproject maxparallelism numpartitions parentproject partitioncolumn
    preferredminparallelism project pushdownaggregate pushdownlimit pushdownoffset pushdownpredicate
    pushdowntablesample querytimeout readdataformat schema sfdatabase sfrole sfschema sfwarehouse table
    upperbound viewsenabled warehouse
"""
_SHOWN = frozenset(" ".join((_FILES, _CSV, _JSON, _PARQUET, _DELTA, _S3, _DATABASES)).split())
_URLS = frozenset(("endpoint", "endpointurl", "fs.s3a.endpoint", "sfurl", "url"))
_USERS = frozenset(("sfuser", "user"))


def shown_option(name: str, value: str) -> str:
    """
    The value of a reader's option as it may be shown: as it is if the option is known, else ``***``.

    :param name: Name of the option, in any case and with or without underscores.
    :param value: Its value.
    """
    known = name.lower().replace("_", "")
    if known in _URLS:
        return shown_url(value)
    if known in _USERS:
        return shown_user(value)
    return hide_in_text(value) if known in _SHOWN else HIDDEN


def takes_url(name: str) -> bool:
    """Whether the value of an option is the URL of a server."""
    return name.lower().replace("_", "") in _URLS


def shown_user(user: str) -> str:
    """The name of a user; some drivers take a password behind it."""
    name, slash, _ = user.partition("/")
    return f"{hide_in_text(name)}{slash}{HIDDEN if slash else ''}"
