"""What is said of English words: those that say too little, and forms that no stemmer joins."""

from collections.abc import Mapping

from agents.src.services.porter2 import stem

LITTLE = """
    a about above after again against ain all am an and any are aren as at be because been before being below between both but
    by can couldn d did didn do does doesn doing don down during each few for from further had hadn has hasn have haven having
    he her here hers herself him himself his how i if in into is isn it its itself just ll m ma me mightn more most mustn my
    myself needn no nor not now o of off on once only or other our ours ourselves out over own re s same shan she should
    shouldn so some such t than that the their theirs them themselves then there these they this those through to too under
    until up ve very was wasn we were weren what when where which while who whom why will with won wouldn y you your yours
    yourself yourselves
"""
STOPWORDS = frozenset(LITTLE.split())
"""As Qdrant's BM25 has them."""

FORMS = """
    arise arose arisen; awake awoke awoken; bear bore borne; beat beaten; become became; begin began begun; bend bent; bind
    bound; bite bit bitten; bleed bled; blow blew blown; break broke broken; breed bred; bring brought; build built; burn
    burnt; buy bought; catch caught; choose chose chosen; cling clung; come came; creep crept; deal dealt; dig dug; draw drew
    drawn; dream dreamt; drink drank drunk; drive drove driven; eat ate eaten; fall fell fallen; feed fed; feel felt; fight
    fought; find found; flee fled; fling flung; fly flew flown; forbid forbade forbidden; forget forgot forgotten; forgive
    forgave forgiven; freeze froze frozen; get got gotten; give gave given; go went gone; grind ground; grow grew grown; hang
    hung; hear heard; hide hid hidden; hold held; keep kept; kneel knelt; know knew known; lay laid; lead led; lean leant;
    leap leapt; learn learnt; leave left; lend lent; lie lain; light lit; lose lost; make made; mean meant; meet met; pay
    paid; ride rode ridden; ring rang rung; rise rose risen; run ran; say said; see saw seen; seek sought; sell sold; send
    sent; sew sewn; shake shook shaken; shine shone; shoot shot; show shown; shrink shrank shrunk; sing sang sung; sink sank
    sunk; sit sat; sleep slept; slide slid; smell smelt; speak spoke spoken; speed sped; spell spelt; spend spent; spill
    spilt; spin spun; spoil spoilt; spring sprang sprung; stand stood; steal stole stolen; stick stuck; sting stung; strike
    struck; strive strove; swear swore sworn; sweep swept; swell swollen; swim swam swum; swing swung; take took taken; teach
    taught; tear tore torn; tell told; think thought; throw threw thrown; tread trod; understand understood; wake woke woken;
    wear wore worn; weave wove woven; weep wept; win won; wind wound; withdraw withdrew withdrawn; write wrote written; child
    children; crisis crises; criterion criteria; foot feet; goose geese; half halves; index indices; knife knives; leaf
    leaves; life lives; man men; mouse mice; person people; shelf shelves; thief thieves; tooth teeth; wife wives; woman
    women; bad worse worst; good better best; far further furthest
"""


def _others() -> Mapping[str, frozenset[str]]:
    groups = [frozenset(stem(word) for word in group.split() if word not in STOPWORDS) for group in FORMS.split(";")]
    found: dict[str, frozenset[str]] = {}
    for group in groups:
        for form in group:
            found[form] = found.get(form, frozenset()) | (group - {form})
    return found


OTHER_FORMS = _others()
"""Stem → the stems of the same word's other forms: `go` → `went`, `gone`."""
