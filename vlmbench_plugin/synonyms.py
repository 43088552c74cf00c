"""The curated words behind ``labels``: data, no code that decides anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

AliasTable: TypeAlias = Mapping[str, tuple[str, ...]]


def _table(lines: str) -> AliasTable:
    """Reads one ``name: alias, alias`` a line."""
    rows = (line.partition(":") for line in lines.strip().splitlines())
    return {name.strip(): _phrases(aliases) for name, _, aliases in rows}


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(",") if phrase.strip())


COCO: AliasTable = _table("""
    person: human being
    bicycle: bike, push bike, pushbike, pedal cycle
    car: motor car, motorcar
    motorcycle: motorbike, motor bike, motor cycle, dirt bike
    airplane: aeroplane, plane, air plane, aircraft
    bus: omnibus, motor bus
    train: railway train
    truck: motor truck
    boat:
    traffic light: traffic signal, stoplight, stop light, trafficlight
    fire hydrant: hydrant, firehydrant, fire plug, fireplug
    stop sign: stopsign
    parking meter: parkingmeter
    bench: park bench
    bird:
    cat: house cat, housecat, domestic cat
    dog: domestic dog
    horse:
    sheep:
    cow: cattle
    elephant:
    bear:
    zebra:
    giraffe:
    backpack: rucksack, knapsack, back pack, haversack
    umbrella: parasol, brolly
    handbag: purse, hand bag, pocketbook
    tie: necktie, neck tie
    suitcase: suit case
    frisbee: flying disc, flying disk
    skis: snow ski
    snowboard: snow board
    sports ball:
    kite:
    baseball bat: baseballbat
    baseball glove: baseball mitt, catchers mitt
    skateboard: skate board
    surfboard: surf board
    tennis racket: tennis racquet
    bottle:
    wine glass: wineglass, wine goblet
    cup: mug, teacup, tea cup
    fork:
    knife:
    spoon:
    bowl:
    banana:
    apple:
    sandwich:
    orange: orange fruit
    broccoli: broccoli floret
    carrot:
    hot dog: hotdog, frankfurter sandwich
    pizza: pizza pie
    donut: doughnut, do nut
    cake:
    chair:
    couch: sofa, settee, loveseat, love seat
    potted plant: pottedplant, houseplant, house plant, pot plant, plant in a pot
    bed:
    dining table: diningtable, dinner table, dining room table
    toilet: toilet bowl, lavatory
    tv: television, tvmonitor, tv monitor, television set, tv set, tv screen, telly
    laptop: laptop computer, notebook computer
    mouse: computermouse
    remote: remote control, remote controller, tv remote
    keyboard: computer keyboard
    cell phone: cellphone, mobile phone, smartphone, smart phone, cellular phone, mobile telephone
    microwave: microwave oven
    oven:
    toaster:
    sink: washbasin, wash basin, washbowl
    refrigerator: fridge
    book:
    clock:
    vase: flower vase
    scissors: pair of scissors
    teddy bear: teddy, teddybear, stuffed bear, toy bear
    hair drier: hair dryer, hairdryer, hairdrier, blow dryer, blow drier
    toothbrush: tooth brush
""")
"""The 80 classes of COCO, each with other names of the same thing."""

FOOD101: AliasTable = _table("""
    apple_pie: apple tart
    baby_back_ribs: back ribs
    baklava: baklawa
    beef_carpaccio: carpaccio, carpaccio of beef
    beef_tartare: steak tartare, beef tartar, steak tartar
    beet_salad: beetroot salad
    beignets: bignet
    bibimbap: bi bim bap
    bread_pudding: bread and butter pudding
    breakfast_burrito:
    bruschetta: bruschette
    caesar_salad: cesar salad
    cannoli: cannolo
    caprese_salad: caprese, insalata caprese
    carrot_cake:
    ceviche: cebiche, seviche
    cheesecake: cheese cake
    cheese_plate: cheese board, cheeseboard, cheese platter
    chicken_curry: curry chicken, curried chicken
    chicken_quesadilla:
    chicken_wings: buffalo wings
    chocolate_cake:
    chocolate_mousse: mousse au chocolat
    churros:
    clam_chowder: chowder
    club_sandwich: clubhouse sandwich
    crab_cakes:
    creme_brulee: crème brûlée, crème brulée, creme brûlée, crème brulee, creme brulée
    croque_madame: croquemadame
    cup_cakes: cupcake
    deviled_eggs: devilled egg, stuffed egg
    donuts: doughnut
    dumplings: jiaozi
    edamame: edamame beans
    eggs_benedict: eggs benny
    escargots:
    falafel: felafel
    filet_mignon: fillet mignon
    fish_and_chips: fish n chips, fish chips
    foie_gras: foiegras
    french_fries: frites, fries, pommes frites, french fried potatoes
    french_onion_soup: onion soup
    french_toast: pain perdu
    fried_calamari: calamari, fried squid
    fried_rice: chahan
    frozen_yogurt: frozen yoghurt, froyo
    garlic_bread: garlicbread
    gnocchi: gnocco
    greek_salad: horiatiki
    grilled_cheese_sandwich: grilled cheese, cheese toastie
    grilled_salmon:
    guacamole: guac
    gyoza: potsticker, pot sticker
    hamburger: burger, beefburger
    hot_and_sour_soup: hot sour soup
    hot_dog:
    huevos_rancheros: rancheros eggs
    hummus: houmous, humus, hommus
    ice_cream: icecream, gelato
    lasagna: lasagne
    lobster_bisque: bisque
    lobster_roll_sandwich: lobster roll
    macaroni_and_cheese: mac and cheese, macaroni cheese, mac n cheese, mac cheese
    macarons: french macaron
    miso_soup: misoshiru
    mussels: moules
    nachos:
    omelette: omelet
    onion_rings:
    oysters:
    pad_thai: phad thai, padthai
    paella: paëlla
    pancakes: pan cake, flapjack, hotcake
    panna_cotta: pannacotta
    peking_duck: beijing duck
    pho: phở, pho soup
    pizza:
    pork_chop: pork cutlet
    poutine:
    prime_rib: standing rib roast
    pulled_pork_sandwich: pulled pork
    ramen: ramen noodles
    ravioli: raviolo
    red_velvet_cake: red velvet
    risotto:
    samosa: samoosa
    sashimi:
    scallops:
    seaweed_salad: wakame salad
    shrimp_and_grits: shrimp n grits, shrimp grits
    spaghetti_bolognese: spaghetti bolognaise, spaghetti alla bolognese
    spaghetti_carbonara: spaghetti alla carbonara
    spring_rolls: springroll
    steak: beefsteak, beef steak
    strawberry_shortcake: strawberry short cake
    sushi:
    tacos:
    takoyaki: octopus balls
    tiramisu: tiramisù
    tuna_tartare: tuna tartar
    waffles:
""")
"""The 101 classes of Food-101, spelt as its files are."""

DRAWN: AliasTable = _table("""
    circle: disc, disk
    cross: plus, plus sign
    cuboid: rectangular prism
    diamond: rhombus
    ellipse: oval
    glasses: eyeglasses, spectacles
    gray: grey
    purple: violet
    rectangle: oblong
    ring: annulus
    sphere: ball
""")
"""Words of the names in drawn scenes."""

SYNONYMS: tuple[tuple[str, ...], ...] = tuple(
    (name.replace("_", " "), *aliases)
    for table in (COCO, FOOD101, DRAWN)
    for name, aliases in table.items()
)
"""All groups. A word has one meaning over all tables: a test proves it."""

KINDS: Mapping[str, str] = {
    kind.replace("_", " "): name
    for name, kinds in {
        "person": "man woman boy girl child kid baby infant toddler lady gentleman guy adult "
        "teenager pedestrian human cyclist skier snowboarder skateboarder surfer",
        "cat": "kitten kitty tabby",
        "cow": "bull calf ox",
        "dog": "puppy pup poodle labrador dachshund",
        "horse": "pony foal mare stallion",
        "sheep": "lamb ewe",
        "bird": "pigeon seagull gull sparrow parrot duck goose swan owl",
        "sports ball": "basketball football volleyball baseball softball soccer_ball tennis_ball",
        "boat": "ship sailboat canoe kayak ferry rowboat motorboat speedboat yacht",
        "bus": "minibus",
        "car": "suv sedan automobile hatchback taxi cab minivan",
        "truck": "lorry pickup",
        "airplane": "airliner jetliner biplane",
        "umbrella": "sunshade",
        "chair": "armchair",
        "hamburger": "cheeseburger",
        "sushi": "nigiri maki",
        "steak": "sirloin ribeye",
    }.items()
    for kind in kinds.split()
}
"""A kind names its wider class, never the other way round: a man is a person, but an answer
"person" does not name a man."""

OPAQUE = _phrases("""
    hot dog, corn dog, chili dog, prairie dog, sea horse, rocking horse, sea cow,
    teddy bear, gummy bear, jet ski, cable car, train car, freight car, hand truck, truck bed,
    flower bed, river bed, gravy boat, paper airplane, pine apple, custard apple, tuning fork,
    piano keyboard, orange color, orange colour, color orange, colour orange, ice cream, pan cake,
    ice cream sandwich, rice cake, fish cake, cup cake, cheese plate, fish and chips, pad thai,
    shrimp and grits, macaroni and cheese, hot and sour soup, foie gras, panna cotta, lightning bolt
""")
"""Phrases that are not what their words are: no corn dog is a dog, and no "dog" is a hot dog."""

HEAD_FIRST = _phrases("spaghetti bolognese, spaghetti carbonara, eggs benedict, huevos rancheros")
"""Names whose first word says what the thing is; in all others the last one does."""
