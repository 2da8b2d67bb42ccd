"""How big a plant is: master data and open documents, and a cap on history."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """The row counts of a plant; `history` is the sum over all tables of closed rows."""

    items: int
    warehouses: tuple[str, ...]
    item_warehouses: int
    item_locations: int
    work_centers: int
    open_jobs: int
    customers: int
    addresses: int
    open_orders: int
    open_lines: int
    open_purchase_lines: int
    history: int

    @property
    def closed_jobs(self) -> int:
        """Jobs of the past and standard routings: one brings about 12 rows with its operations."""
        return self.history // 20

    @property
    def closed_orders(self) -> int:
        """Orders of the past and estimates: one brings nearly three lines."""
        return self.history * 3 // 40

    @property
    def closed_purchase_lines(self) -> int:
        """Purchase lines received long ago."""
        return self.history * 3 // 40


_LARGE_WAREHOUSES = ("MAIN", "EAST", "WEST", "SVC", *(f"W{n:02}" for n in range(5, 16)))

SCALES = {
    "small": Scale(3_000, ("MAIN",), 3_000, 4_000, 12, 120, 300, 450, 150, 400, 200, 20_000),
    "medium": Scale(
        20_000, ("MAIN", "EAST", "SVC"), 30_000, 40_000, 60, 1_500, 3_000, 5_000, 1_500, 5_000, 3_000, 190_000
    ),
    "large": Scale(
        150_000,
        _LARGE_WAREHOUSES,
        450_000,
        500_000,
        300,
        15_000,
        20_000,
        40_000,
        15_000,
        50_000,
        30_000,
        2_000_000,
    ),
}
