"""Reader options whose values are shown and stored."""

from __future__ import annotations

from aporia_provider.redaction.text import redact_text
from aporia_provider.redaction.urls import HIDDEN, redact_url

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
_HARMLESS = frozenset(" ".join((_FILES, _CSV, _JSON, _PARQUET, _DELTA, _S3, _DATABASES)).split())
_URLS = frozenset(("endpoint", "endpointurl", "fs.s3a.endpoint", "sfurl", "url"))
_USERS = frozenset(("sfuser", "user"))


def redact_option(name: str, value: str) -> str:
    """
    Return the value of a reader option if it may be shown, else ``***``.

    :param name: Name of the option, in upper or lower case, with or without underscores.
    :param value: Value of the option.
    """
    option = name.lower().replace("_", "")
    if option in _URLS:
        return redact_url(value)
    if option in _USERS:
        return redact_user(value)
    return redact_text(value) if option in _HARMLESS else HIDDEN


def is_url_option(name: str) -> bool:
    """Return whether the value of an option is the URL of a server."""
    return name.lower().replace("_", "") in _URLS


def redact_user(user: str) -> str:
    """Return the name of a user without the password that some drivers accept after a slash."""
    name, slash, _ = user.partition("/")
    return f"{redact_text(name)}{slash}{HIDDEN if slash else ''}"
