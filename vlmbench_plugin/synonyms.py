"""The curated words behind ``labels``: data, no code."""

from __future__ import annotations

from collections.abc import Mapping

# Names that mean the same thing, the first being the key under which they are compared. A word
# stands in one group only: no word may mean two names of one vocabulary.
SYNONYMS: tuple[tuple[str, ...], ...] = (
    # COCO
    ("airplane", "aeroplane", "plane"),
    ("backpack", "rucksack", "knapsack"),
    ("bicycle", "bike", "push bike"),
    ("cell phone", "cellphone", "mobile phone", "smartphone", "cellular phone"),
    ("couch", "sofa", "settee", "loveseat"),
    ("cow", "cattle"),
    ("dining table", "diningtable", "dinner table"),
    ("donut", "doughnut"),
    ("fire hydrant", "hydrant"),
    ("frisbee", "flying disc", "flying disk"),
    ("hair drier", "hair dryer", "hairdryer", "hairdrier", "blow dryer"),
    ("handbag", "purse", "hand bag"),
    ("hot dog", "hotdog"),
    ("microwave", "microwave oven"),
    ("motorcycle", "motorbike", "motor bike"),
    ("potted plant", "pottedplant", "houseplant", "house plant", "pot plant"),
    ("refrigerator", "fridge"),
    ("remote", "remote control", "remote controller"),
    ("skateboard", "skate board"),
    ("ski", "snow ski"),
    ("snowboard", "snow board"),
    ("stop sign", "stopsign"),
    ("suitcase", "suit case"),
    ("surfboard", "surf board"),
    ("teddy bear", "teddy", "teddybear"),
    ("tennis racket", "tennis racquet"),
    ("tie", "necktie"),
    ("traffic light", "traffic signal", "stoplight", "stop light"),
    ("tv", "television", "tvmonitor", "tv monitor", "television set", "tv set"),
    ("wine glass", "wineglass"),
    # food-101
    ("beignet", "bignet"),
    ("caprese salad", "insalata caprese"),
    ("cheesecake", "cheese cake"),
    ("creme brulee", "crème brûlée", "crème brulée", "creme brûlée"),
    ("croque madame", "croquemadame"),
    ("dumpling", "jiaozi"),
    ("filet mignon", "fillet mignon"),
    ("french fry", "frite"),
    ("fried calamari", "calamari"),
    ("gyoza", "potsticker", "pot sticker"),
    ("hamburger", "burger"),
    ("hummus", "houmous"),
    ("macaroni and cheese", "mac and cheese", "macaroni cheese", "mac n cheese"),
    ("paella", "paëlla"),
    ("pho", "phở"),
    ("pancake", "flapjack"),
    ("spaghetti bolognese", "spaghetti bolognaise", "spaghetti alla bolognese"),
    ("tiramisu", "tiramisù"),
    # shapes and colours of drawn scenes
    ("circle", "disc", "disk"),
    ("cross", "plus", "plus sign"),
    ("cuboid", "rectangular prism"),
    ("diamond", "rhombus"),
    ("ellipse", "oval"),
    ("gray", "grey"),
    ("purple", "violet"),
    ("rectangle", "oblong"),
    ("ring", "annulus"),
    ("sphere", "ball"),
)
# A kind names its wider COCO class, never the other way round: a man is a person, but an answer
# "person" does not name a man.
KINDS: Mapping[str, str] = {
    kind: name
    for name, kinds in {
        "person": "man woman boy girl child kid baby toddler lady guy pedestrian human",
        "cat": "kitten kitty",
        "cow": "bull calf ox",
        "dog": "puppy pup",
        "horse": "pony foal",
        "sheep": "lamb ewe",
        "sports ball": "basketball football volleyball baseball softball",
        "boat": "ship sailboat canoe kayak ferry",
        "bus": "minibus",
        "car": "suv sedan automobile hatchback",
        "truck": "lorry pickup",
    }.items()
    for kind in kinds.split()
}
