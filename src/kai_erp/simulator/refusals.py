"""What the server says when it refuses a load: HTTP 200 with a message, in the user's language."""

from kai_erp.simulator.options import Language


class Refusal(Exception):
    """A load is refused; the text is the `Message` of the answer, `german` its translation where there is one."""

    def __init__(self, message: str, german: str | None = None) -> None:
        super().__init__(message)
        self.german = german

    def message(self, language: Language) -> str:
        """Return the text in a language."""
        return self.german if language == "de" and self.german else str(self)


class UnknownIdo(Refusal):
    """The server knows no IDO of that name."""

    def __init__(self, ido: str) -> None:
        super().__init__(f"{ido} IDO not found.", f"Das IDO {ido} wurde nicht gefunden.")


class ReadDenied(Refusal):
    """The user may not read the IDO."""

    def __init__(self, ido: str) -> None:
        super().__init__(
            f"User requires [Read] privilege for {ido}", f"Benutzer benötigt die Berechtigung [Lesen] für {ido}"
        )


class IllegalFilter(Refusal):
    """The filter is not a plain predicate, or does not parse."""

    def __init__(self) -> None:
        super().__init__(
            "Error processing LoadCollection request: IllegalFilterException",
            "Fehler beim Verarbeiten der Anforderung LoadCollection: Der Filter ist unzulässig.",
        )


class PropertyNotFound(Refusal):
    """The IDO has no property of that name."""

    def __init__(self, name: str, ido: str) -> None:
        super().__init__(
            f"Property {name} not found on {ido} IDO.", f"Eigenschaft {name} wurde im IDO {ido} nicht gefunden."
        )


class UnknownMethod(Refusal):
    """The IDO has no custom load method of that name."""

    def __init__(self, method: str, ido: str) -> None:
        super().__init__(
            f"Method {method} not found on {ido} IDO.", f"Methode {method} wurde im IDO {ido} nicht gefunden."
        )


class TooManyArguments(Refusal):
    """SQL Server got more arguments than the procedure has parameters."""

    def __init__(self, method: str) -> None:
        super().__init__(f"Procedure or function {method} has too many arguments specified.")


class NoColumn(Refusal):
    """A derived or unbound property was used where the database needs a column."""

    def __init__(self, name: str, ido: str) -> None:
        super().__init__(f"Property {name} of {ido} IDO has no column and cannot be used in a filter or an order.")


class ConversionFailed(Refusal):
    """SQL Server could not convert a text to the type it is compared with."""

    def __init__(self, value: str, kind: str) -> None:
        if kind == "datetime":
            message = "Conversion failed when converting date and/or time from character string."
        elif kind == "uniqueidentifier":
            message = "Conversion failed when converting from a character string to uniqueidentifier."
        elif kind == "numeric":
            message = "Error converting data type nvarchar to numeric."
        else:
            message = f"Conversion failed when converting the nvarchar value '{value}' to data type {kind}."
        super().__init__(message)


class BadBookmark(Refusal):
    """The bookmark is not one that this server issued for such a request."""

    def __init__(self) -> None:
        super().__init__("Error processing LoadCollection request: the bookmark is not valid.")


class SessionDeleted(Refusal):
    """The session of a direct token ended while the token was in use."""

    def __init__(self) -> None:
        super().__init__("The session was deleted.", "Die Sitzung wurde gelöscht.")
