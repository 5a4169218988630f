"""Every code that a receipt or an undelivered file can carry: what it means, and what to do about it.

Codes are stable: they may be added to, never renamed. `docs/reference/codes.md` is made from this list.
"""

from __future__ import annotations

FILE = {
    "file.empty": (
        "The file is empty: it has not even a header.",
        "Drop a file with a header line; a header alone is allowed.",
    ),
    "file.encoding": (
        "The bytes are not in the encoding that the group declares.",
        "Save the file as UTF-8, or set `files.encoding` to what it is; the message names the likely one.",
    ),
    "file.compression": (
        "The compressed file is damaged, cut short, or holds more than the compression it starts with.",
        "Compress the file again and drop it again.",
    ),
    "file.size": ("The file is larger than the limit.", "Drop it in parts, or let an operator raise `limits.file`."),
    "file.expanded": (
        "More came out of the compressed file than the limits allow.",
        "Drop it in parts or uncompressed, or let an operator raise `limits.expanded` or `limits.ratio`.",
    ),
    "file.columns": (
        "The header has more columns than the limit.",
        "Leave out columns that nobody needs, or let an operator raise `limits.attributes`.",
    ),
    "file.header.duplicate": ("Two columns have the same name.", "Rename or remove one of them."),
    "file.header.missing": (
        "A column for a required attribute is not in the header.",
        "Add the column; the message names near matches and the delimiter that the header seems to use.",
    ),
    "file.header.unknown": (
        "A column is not declared, and the group has `unknown_attributes: reject`.",
        "Remove the column, or list it under `attributes`.",
    ),
    "file.header.name": ("A column has no name, or one with a control character in it.", "Name every column."),
    "file.quote": (
        "A quote was opened and never closed, so that nobody can say where the record ends.",
        "Close the quote at the line that the message names; a quote inside a quoted value is written twice.",
    ),
    "file.record.size": (
        "A record is larger than the limit.",
        "Look for a missing line end or quote at the line named; an operator can raise `limits.record`.",
    ),
    "file.incomplete": (
        "The last line is cut off in the middle of a record: the file was probably not uploaded whole.",
        "Check how the file is written and uploaded, and drop it again whole. The whole records were used.",
    ),
    "file.changed": (
        "The file was overwritten or deleted while it was processed.",
        "Nothing, if the new file is a drop of its own; rows of the old one that were not sent are `failed`.",
    ),
    "file.records": (
        "By the configuration of this rerun the file has another number of records than when it was first read.",
        "Rerun with `--config original`; or drop the file under another name, to be read afresh.",
    ),
    "file.unreadable": (
        "The file could not be read.",
        "An operator looks at the drop zone's permissions and at the log.",
    ),
    "file.crashed": (
        "The program stopped three times over this file, or ten over records of the API, and the file was set aside.",
        "An operator looks at the log, mends the cause and reruns the batch.",
    ),
}

ROW = {
    "row.fields": (
        "The record has fewer or more fields than the header.",
        "Look for a missing or superfluous delimiter, or a value with a delimiter that is not in quotes.",
    ),
    "row.quote": (
        "A quote stands inside a value that is not in quotes, or text follows a closing quote.",
        "Put the whole value in quotes and write a quote inside it twice.",
    ),
    "row.nul": ("The record holds a NUL character.", "Remove it; most systems cannot store it."),
    "row.json": (
        "The line is not one JSON object.",
        "Write one whole JSON object a line; NaN and Infinity are not JSON.",
    ),
    "row.nested": (
        "A value is an object, or a list that holds more than scalars.",
        "Send flat records: scalars, null, or lists of scalars.",
    ),
    "row.duplicate_key": ("A key stands twice in the object.", "Send each attribute once."),
    "row.surrogate": (
        "Text holds half of a surrogate pair (\\ud800–\\udfff).",
        "Mend the program that wrote the text.",
    ),
    "row.attributes": (
        "The record has more attributes than the limit.",
        "Leave out attributes that nobody needs, or let an operator raise `limits.attributes`.",
    ),
    "row.value.size": ("A value is larger than the limit.", "Shorten it, or let an operator raise `limits.value`."),
    "row.column.unknown": (
        "The record has an attribute that is not declared, and the group has `unknown_attributes: reject`.",
        "Remove the attribute, or list it under `attributes`.",
    ),
}

VALUE = {
    "required": ("A required attribute is blank, absent or cleared.", "Fill it in."),
    "string.list": (
        "A list stands where one value is expected.",
        "Send one value, or declare the attribute as a list.",
    ),
    "email.format": ("Not an e-mail address.", "Write one address, like name@example.com."),
    "phone.format": ("Not a telephone number of the declared region.", "Write it with its country code: +46701234567."),
    "integer.format": ("Not a whole number.", "Write digits only, without separators."),
    "integer.range": ("A whole number beyond 64 bits.", "Declare the attribute as a string."),
    "number.format": ("Not a number.", "Write digits with a decimal point, without thousands separators."),
    "number.precision": (
        "A number with more digits than a double can carry without changing it.",
        "Declare the attribute as a string, so that every digit is kept.",
    ),
    "boolean.format": ("Not a boolean.", "Write true or false (also 1/0, yes/no)."),
    "date.format": (
        "Not a date in the declared format.",
        "Write it as the attribute's `format` says; 2026-11-23 if it has none.",
    ),
    "datetime.format": (
        "Not a date and time with zone in the declared format.",
        "Write it as the attribute's `format` says; 2026-11-23T02:00:00+01:00 if it has none.",
    ),
    "min": ("Less than the attribute's `min`.", "Send an allowed value."),
    "max": ("Greater than the attribute's `max`.", "Send an allowed value."),
    "min_length": ("Shorter than the attribute's `min_length`.", "Send an allowed value."),
    "max_length": ("Longer than the attribute's `max_length`.", "Send an allowed value."),
    "matches": ("Does not match the attribute's pattern.", "Send an allowed value."),
    "one_of": ("Not one of the allowed values.", "Send one of the values that the message names."),
    "unique": ("The value already stands in an earlier row of the file.", "Send one row for it."),
}

MAPPING = {
    "mapping.required": (
        "A field that the destination requires came out empty.",
        "Fill in the attributes that the mapping uses, or change the mapping.",
    ),
    "mapping.failed": (
        "The mapping's expression fails on this row.",
        "Look at the expression that the message names; TRY_CAST gives null where CAST fails.",
    ),
    "mapping.type": ("The mapping gave a value that JSON or the field cannot hold.", "Change the mapping."),
    "mapping.size": ("The record alone is larger than one request may be.", "Shorten its values."),
}

DESTINATION = {
    "rejected.*": (
        "The destination said no to this record; its own code stands after the dot.",
        "Mend the record or the mapping as the message says; drop the row again, or rerun with `--outcome rejected`.",
    ),
    "consent.*": (
        "The destination may not, or will not, write to this person: unsubscribed, suppressed or never asked.",
        "Nothing is wrong; respect it.",
    ),
    "unprocessed": (
        "The destination's job ended before this record's turn.",
        "Rerun: the destination does not have it.",
    ),
    "job.unfinished": (
        "The records were handed over to a job of the destination, and how it ended could not be learnt.",
        "`rerun --outcome unknown` asks for the job's end again, and sends nothing that has arrived.",
    ),
    "fields.unknown": (
        "The mapping names a field, list or attribute that the destination does not have.",
        "An operator makes it there, or mends the mapping (`flatdrop connect test`), and reruns.",
    ),
    "refused": (
        "The destination refused a request that held only this record.",
        "Mend the record or the mapping as the message says.",
    ),
    "refused.together": (
        "The destination refused a request; splitting it to find the culprit was given up after too many requests.",
        "An operator reads the destination's words, mends mapping or settings, and reruns.",
    ),
    "auth.refused": ("The destination refused the credentials (401 or 403).", "An operator renews them, and reruns."),
    "address.refused": (
        "The destination does not know the address (3xx, 404, 405 or 410), or its TLS certificate is not trusted.",
        "An operator mends the integration's settings, and reruns.",
    ),
    "unreachable": ("No connection could be made; tries are used up.", "Rerun when the destination is up."),
    "unavailable": ("The destination answered with an error of its own (5xx); tries are used up.", "Rerun later."),
    "slow_down": ("The destination asked us to slow down for longer than we wait.", "Rerun later."),
    "no_answer": (
        "The request was sent and no answer came in time, or the connection broke.",
        "Look in the destination whether it has the rows; `rerun --outcome unknown` sends them again.",
    ),
    "bad_answer": (
        "The answer cannot be read or does not account for this record.",
        "Look in the destination whether it has the rows; `rerun --outcome unknown` sends them again.",
    ),
    "interrupted": (
        "The program was stopped after sending and before the answer, and sending again could double the record.",
        "Look in the destination whether it has the rows; `rerun --outcome unknown` sends them again.",
    ),
}

CODES: dict[str, tuple[str, str]] = {**FILE, **ROW, **VALUE, **MAPPING, **DESTINATION}
