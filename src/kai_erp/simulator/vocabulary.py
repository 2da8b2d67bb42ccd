"""What a maker of truck bodies calls things: products, work centers, towns and people."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Center:
    """A kind of work center: driver L (labor) or M (machine), typical setup and run hours."""

    code: str
    name: str
    driver: str
    setup: float
    run: float
    outside: int = 0


CENTERS = (
    Center("ASSY", "Final assembly", "L", 0.25, 1.5),
    Center("BEND", "Press brake", "M", 0.5, 0.12),
    Center("BLAST", "Shot blasting", "M", 0.25, 0.25),
    Center("GALV", "Galvanizing (outside)", "M", 0.0, 0.05, outside=1),
    Center("INSP", "Final inspection", "L", 0.25, 0.2),
    Center("LASER", "Laser cutting", "M", 0.75, 0.08),
    Center("MACH", "Milling and drilling", "M", 1.5, 0.3),
    Center("PAINT", "Paint line", "L", 1.0, 0.5),
    Center("SAW", "Band saw", "M", 0.25, 0.05),
    Center("SHEAR", "Plate shear", "M", 0.5, 0.04),
    Center("WELD", "Welding", "L", 0.75, 1.25),
    Center("WIRE", "Wiring and lights", "L", 0.25, 0.75),
)
LOST_CENTER = "PLASMA"

# Product families we make, with their routings.
MADE = {
    "FB": ("Flat bed", ("LASER", "BEND", "WELD", "BLAST", "PAINT", "ASSY", "INSP")),
    "SB": ("Service body", ("LASER", "BEND", "WELD", "BLAST", "PAINT", "WIRE", "ASSY", "INSP")),
    "DB": ("Dump body", ("LASER", "BEND", "WELD", "PAINT", "ASSY", "INSP")),
    "TB": ("Tool box", ("SHEAR", "BEND", "WELD", "PAINT", "ASSY")),
    "BH": ("Bulkhead", ("LASER", "BEND", "WELD", "PAINT")),
    "HT": ("Hitch plate", ("SAW", "MACH", "WELD", "BLAST", "PAINT")),
    "RL": ("Stake rail", ("SAW", "WELD", "GALV", "ASSY")),
    "XM": ("Cross member", ("SAW", "MACH", "WELD")),
    "BK": ("Bracket", ("SHEAR", "BEND", "MACH")),
}
# How often a family is made: whole bodies more than parts.
MADE_WEIGHTS = (22, 14, 14, 14, 10, 10, 6, 5, 5)

BOUGHT = {
    "SH": ("Steel sheet", "SHT"),
    "TU": ("Square tube", "FT"),
    "AN": ("Steel angle", "FT"),
    "BO": ("Bolt kit", "EA"),
    "PT": ("Primer", "GAL"),
    "HY": ("Hydraulic cylinder", "EA"),
    "LT": ("LED light", "EA"),
    "WR": ("Wire harness", "EA"),
    "HG": ("Hinge", "EA"),
    "DC": ("Decal", "EA"),
}
MOVED = {"KT": ("Mounting kit", "EA")}

SIZES = ("8 ft", "9 ft", "10 ft", "11 ft", "12 ft", "14 ft", "16 ft", "LH", "RH", "short", "long")
COLORS = ("", "", "-BLK", "-WHT", "-GRY", "-RAW")

# Descriptions that break careless quoting, trimming and encoding. Forty characters is the column's width.
AWKWARD_DESCRIPTIONS = (
    'Latch bar 3/8" x 2" zinc',
    "O'Brien hook kit",
    "Liner 50% recycled",
    "CABLE_ASSY_7PIN",
    "Side rail [LH]",
    "Seitenblech für Kühlkoffer, Größe M",
    "Bâche à œillets côté gauche",
    "Guard, rear; see note -- rev. B",
    "Flat bed 12 ft steel with headboard and side tool boxes"[:40],
    "Trailing blanks in here   ",
    "Bracket <left> & <right>",
)

TOWNS = (
    ("Akron", "OH", "44301"),
    ("Fort Wayne", "IN", "46802"),
    ("Dayton", "OH", "45402"),
    ("Grand Rapids", "MI", "49503"),
    ("Coeur d'Alene", "ID", "83814"),
    ("Winona", "MN", "55987"),
    ("Saint-Jérôme", "QC", "J7Z 1A1"),
    ("Springfield", "MO", "65802"),
    ("Elkhart", "IN", "46514"),
    ("La Crosse", "WI", "54601"),
    ("Montréal", "QC", "H1A 0A1"),
    ("Lubbock", "TX", "79401"),
)
FIRMS = (
    "Alder Truck Sales",
    "Birch Upfitters",
    "Cedar Fleet Services",
    "Dogwood Motors",
    "Elm County Road Dept",
    "Fir Equipment",
    "Ginkgo Rentals",
    "Hazel Utility Co-op",
    "Ironwood Haulage",
    "Juniper Landscaping",
    "Larch Chassis Works",
    "Maple Municipal Supply",
)
AWKWARD_FIRMS = (
    "O'Malley & Sons Trucking",
    "100% Hauling LLC",
    "Fleet_One Leasing",
    "[Demo] Bodies Inc",
    'The "Big Rig" Shop',
    "Müller Fahrzeugbau GmbH",
    "Société Générale du Camion",
    "Acme Trucks   ",
    "d'Angelo Brothers",
    "Łódź Transport Sp. z o.o.",
)
STREETS = ("Mill St", "Foundry Rd", "Depot Ave", "Industrial Pkwy", "County Rd 9", "Harbor Dr")
PEOPLE = ("A. Novak", "B. Ortiz", "C. Whitfield", "D. Sørensen", "E. O'Hara", "F. Lindqvist")
CLERKS = ("jdoe", "mreyes", "sa", "tkim", "erpsvc")
