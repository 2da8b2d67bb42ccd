"""Print which work centers are behind, by how many operations and hours.

It asks the built-in simulator. For your own ERP write `kai_erp.connect()`: settings come from the environment and
`.env`.
"""

import asyncio
from collections import defaultdict
from decimal import Decimal

import kai_erp


async def main() -> None:
    """Ask for the whole schedule once and add up what is behind."""
    async with kai_erp.connect(demo=True) as erp:
        answer = await erp.schedule()
    hours: defaultdict[str, list[Decimal]] = defaultdict(list)
    for operation in answer.records:
        if operation.status == "behind":
            hours[operation.work_center or "?"].append(operation.hours_remaining or Decimal(0))
    for center, late in sorted(hours.items(), key=lambda entry: -sum(entry[1])):
        print(f"{center:8}{len(late):4} operations behind, {sum(late):10,.2f} hours to go")
    print(f"{'all':8}{answer.summary.behind:4} of {answer.summary.total}")


asyncio.run(main())
