"""The ERP server's calendar: wall-clock stamps around `now`, and the plant's working time."""

from datetime import date, datetime

MINUTES_A_DAY = 1440
SHIFT_START = 6 * 60
SHIFT_MINUTES = 600
WORK_DAYS = 5
NO_DATE = "20491231 00:00:00.000"

_TIMES = [f" {minute // 60:02}:{minute % 60:02}:00.000" for minute in range(MINUTES_A_DAY)]


class Calendar:
    """Turns days and minutes relative to today into the server's date text.

    Working time counts minutes from 06:00 of this week's Monday, ten hours a day, five days a week.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._today = now.date().toordinal()
        self._monday = -now.weekday()
        self._days: dict[int, str] = {}
        self.work_now = self._work_now()

    def _work_now(self) -> int:
        minute = self.now.hour * 60 + self.now.minute - SHIFT_START
        if self.now.weekday() >= WORK_DAYS:
            return WORK_DAYS * SHIFT_MINUTES
        return self.now.weekday() * SHIFT_MINUTES + min(max(minute, 0), SHIFT_MINUTES)

    def _date(self, offset: int) -> str:
        if offset not in self._days:
            self._days[offset] = date.fromordinal(self._today + offset).strftime("%Y%m%d")
        return self._days[offset]

    def day(self, offset: int) -> str:
        """Return midnight of the day `offset` days from today."""
        return self._date(offset) + _TIMES[0]

    def stamp(self, minute: int) -> str:
        """Return the time `minute` minutes after today's midnight."""
        day, rest = divmod(minute, MINUTES_A_DAY)
        return self._date(day) + _TIMES[rest]

    def work(self, minute: int) -> str:
        """Return the wall-clock time of a working minute."""
        return self.stamp(self.clock(minute))

    def clock(self, minute: int) -> int:
        """Return a working minute as minutes after today's midnight."""
        day, rest = divmod(minute, SHIFT_MINUTES)
        week, weekday = divmod(day, WORK_DAYS)
        return (self._monday + week * 7 + weekday) * MINUTES_A_DAY + SHIFT_START + rest

    def past(self, minute: int) -> str:
        """Return the time `minute` minutes before now, with seconds: a record date."""
        stamp = self.stamp(self.now.hour * 60 + self.now.minute - minute)
        return f"{stamp[:-6]}{minute * 7 % 60:02}.{minute * 37 % 1000:03}"
