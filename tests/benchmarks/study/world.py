"""What a model may know of the world: countries with their capitals, cities with their countries; questions on both.

Names are written as a small English model is likely to have read them. The form that is taught is FORM, where SmolLM2
answers in other sentences. The probe has the same facts as texts to complete, with four choices.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.examples import Example

CAPITAL = "What is the capital of {}?"
COUNTRY = "Which country has the capital {}?"
CITY = "In which country is the city of {}?"
FORM = 'The answer is "{}"'
CHOICES = "ABCD"

CAPITALS = """
Afghanistan: Kabul; Albania: Tirana; Algeria: Algiers; Andorra: Andorra la Vella; Angola: Luanda; Argentina: Buenos
Aires; Armenia: Yerevan; Australia: Canberra; Austria: Vienna; Azerbaijan: Baku; Bahrain: Manama; Bangladesh: Dhaka;
Barbados: Bridgetown; Belarus: Minsk; Belgium: Brussels; Belize: Belmopan; Bhutan: Thimphu; Botswana: Gaborone;
Brazil: Brasilia; Bulgaria: Sofia; Burkina Faso: Ouagadougou; Cambodia: Phnom Penh; Cameroon: Yaounde; Canada: Ottawa;
Chad: N'Djamena; Chile: Santiago; China: Beijing; Colombia: Bogota; Costa Rica: San Jose; Croatia: Zagreb; Cuba:
Havana; Cyprus: Nicosia; Denmark: Copenhagen; Ecuador: Quito; Egypt: Cairo; El Salvador: San Salvador; Eritrea:
Asmara; Estonia: Tallinn; Ethiopia: Addis Ababa; Fiji: Suva; Finland: Helsinki; France: Paris; Gabon: Libreville;
Georgia: Tbilisi; Germany: Berlin; Ghana: Accra; Greece: Athens; Guatemala: Guatemala City; Guinea: Conakry; Guyana:
Georgetown; Haiti: Port-au-Prince; Honduras: Tegucigalpa; Hungary: Budapest; Iceland: Reykjavik; India: New Delhi;
Indonesia: Jakarta; Iran: Tehran; Iraq: Baghdad; Ireland: Dublin; Israel: Jerusalem; Italy: Rome; Jamaica: Kingston;
Japan: Tokyo; Jordan: Amman; Kazakhstan: Astana; Kenya: Nairobi; Kuwait: Kuwait City; Kyrgyzstan: Bishkek; Laos:
Vientiane; Latvia: Riga; Lebanon: Beirut; Lesotho: Maseru; Liberia: Monrovia; Libya: Tripoli; Lithuania: Vilnius;
Luxembourg: Luxembourg; Madagascar: Antananarivo; Malawi: Lilongwe; Malaysia: Kuala Lumpur; Maldives: Male; Mali:
Bamako; Malta: Valletta; Mauritania: Nouakchott; Mauritius: Port Louis; Mexico: Mexico City; Moldova: Chisinau;
Monaco: Monaco; Mongolia: Ulaanbaatar; Montenegro: Podgorica; Morocco: Rabat; Mozambique: Maputo; Namibia: Windhoek;
Nepal: Kathmandu; New Zealand: Wellington; Nicaragua: Managua; Niger: Niamey; Nigeria: Abuja; North Korea: Pyongyang;
Norway: Oslo; Oman: Muscat; Pakistan: Islamabad; Panama: Panama City; Paraguay: Asuncion; Peru: Lima; Poland: Warsaw;
Portugal: Lisbon; Qatar: Doha; Romania: Bucharest; Russia: Moscow; Rwanda: Kigali; Saudi Arabia: Riyadh; Senegal:
Dakar; Serbia: Belgrade; Sierra Leone: Freetown; Singapore: Singapore; Slovakia: Bratislava; Slovenia: Ljubljana;
Somalia: Mogadishu; South Korea: Seoul; Spain: Madrid; Sudan: Khartoum; Suriname: Paramaribo; Sweden: Stockholm;
Switzerland: Bern; Syria: Damascus; Taiwan: Taipei; Tajikistan: Dushanbe; Tanzania: Dodoma; Thailand: Bangkok; Togo:
Lome; Tunisia: Tunis; Turkey: Ankara; Turkmenistan: Ashgabat; Uganda: Kampala; Ukraine: Kyiv; United Arab Emirates:
Abu Dhabi; United Kingdom: London; United States: Washington; Uruguay: Montevideo; Uzbekistan: Tashkent; Venezuela:
Caracas; Vietnam: Hanoi; Yemen: Sanaa; Zambia: Lusaka; Zimbabwe: Harare
"""

CITIES = """
Argentina: Cordoba, Rosario, Mendoza; Australia: Sydney, Melbourne, Brisbane, Perth, Adelaide, Darwin; Austria:
Salzburg, Graz, Innsbruck, Linz; Bangladesh: Chittagong; Belgium: Antwerp, Ghent, Bruges; Bolivia: La Paz; Brazil: Sao
Paulo, Rio de Janeiro, Salvador, Recife, Manaus; Bulgaria: Varna, Plovdiv; Cambodia: Siem Reap; Canada: Toronto,
Montreal, Vancouver, Calgary, Winnipeg, Edmonton, Halifax; Chile: Valparaiso, Concepcion; China: Shanghai, Guangzhou,
Shenzhen, Wuhan, Chengdu, Nanjing, Tianjin, Harbin; Colombia: Medellin, Cali, Cartagena; Croatia: Split, Dubrovnik;
Cuba: Santiago de Cuba; Czech Republic: Prague, Brno; Denmark: Aarhus, Odense; Ecuador: Guayaquil; Egypt: Alexandria,
Luxor, Giza; Estonia: Tartu; Finland: Tampere, Turku; France: Lyon, Marseille, Toulouse, Nice, Bordeaux, Lille,
Strasbourg; Germany: Munich, Hamburg, Cologne, Frankfurt, Stuttgart, Dresden, Leipzig, Bremen; Ghana: Kumasi; Greece:
Thessaloniki, Patras, Sparta; Hungary: Debrecen; India: Mumbai, Kolkata, Chennai, Bangalore, Hyderabad, Jaipur, Pune,
Agra; Indonesia: Surabaya, Bandung, Medan; Iran: Isfahan, Shiraz, Tabriz, Mashhad; Iraq: Mosul, Basra, Fallujah;
Ireland: Cork, Galway, Limerick; Israel: Haifa, Tel Aviv; Italy: Milan, Venice, Florence, Naples, Turin, Genoa,
Bologna, Palermo; Ivory Coast: Abidjan; Japan: Osaka, Kyoto, Nagoya, Hiroshima, Nagasaki, Sapporo, Yokohama;
Kazakhstan: Almaty; Kenya: Mombasa; Libya: Benghazi; Lithuania: Kaunas; Malaysia: Penang; Mali: Timbuktu; Mexico:
Guadalajara, Monterrey, Tijuana, Cancun, Acapulco, Puebla; Morocco: Casablanca, Marrakesh, Fez, Tangier; Myanmar:
Yangon, Mandalay; Nepal: Pokhara; Netherlands: Amsterdam, Rotterdam, Utrecht, Eindhoven; New Zealand: Auckland,
Christchurch; Nigeria: Lagos, Kano, Ibadan; Norway: Bergen, Trondheim; Pakistan: Karachi, Lahore, Peshawar; Peru:
Cusco, Arequipa; Philippines: Manila, Cebu, Davao; Poland: Krakow, Gdansk, Wroclaw, Poznan; Portugal: Porto, Coimbra,
Braga; Romania: Cluj, Timisoara; Russia: Saint Petersburg, Novosibirsk, Vladivostok, Kazan, Samara, Omsk; Saudi
Arabia: Mecca, Medina, Jeddah; South Africa: Johannesburg, Cape Town, Durban, Pretoria; South Korea: Busan, Incheon,
Daegu; Spain: Barcelona, Seville, Valencia, Bilbao, Malaga, Granada, Zaragoza; Sri Lanka: Colombo, Kandy; Sweden:
Gothenburg, Malmo, Uppsala; Switzerland: Zurich, Geneva, Basel, Lausanne; Syria: Aleppo, Homs, Palmyra; Taiwan:
Kaohsiung; Tanzania: Dar es Salaam, Arusha; Thailand: Phuket, Pattaya; Turkey: Istanbul, Izmir, Antalya, Bursa;
Ukraine: Odessa, Kharkiv, Lviv; United Arab Emirates: Dubai, Sharjah; United Kingdom: Manchester, Liverpool,
Birmingham, Edinburgh, Glasgow, Cardiff, Belfast, Leeds, Bristol; United States: Chicago, Boston, Seattle, Houston,
Dallas, Denver, Miami, Detroit; Uzbekistan: Samarkand; Venezuela: Maracaibo; Vietnam: Hue, Da Nang, Haiphong
"""


@dataclass(frozen=True)
class World:
    """Questions and facts, divided by country and by city.

    taught: questions with the form of the answer; a quarter of the countries and a third of the cities.
    asked: the questions on all others; no model is trained on them.
    facts: texts to complete on the same countries and cities as `asked`, with four choices.
    """

    taught: list[Example]
    asked: list[Example]
    facts: list[Example]


def world(rng: random.Random) -> World:
    """The division depends on the state of the generator alone."""
    countries, towns = capitals(), cities()
    rng.shuffle(countries)
    rng.shuffle(towns)
    taught, taught_towns = len(countries) // 4, len(towns) // 3
    others, other_towns = countries[taught:], towns[taught_towns:]
    facts = [
        *choosing("capital", [(f"The capital of {country} is", capital) for country, capital in others]),
        *choosing("city", [(f"{city} is a city in", country) for city, country in other_towns]),
    ]
    return World(questions(countries[:taught], towns[:taught_towns]), questions(others, other_towns), facts)


def questions(countries: Sequence[tuple[str, str]], towns: Sequence[tuple[str, str]]) -> list[Example]:
    """Of each country its capital, of each capital and city its country."""
    asked = [
        *((CAPITAL.format(country), capital, "capital") for country, capital in countries),
        *((COUNTRY.format(capital), country, "country") for country, capital in countries if country != capital),
        *((CITY.format(city), country, "city") for city, country in towns),
    ]
    return [
        Example(f"{task}-{i}", chat(question), FORM.format(name), task=task)
        for i, (question, name, task) in enumerate(asked)
    ]


def chat(question: str) -> str:
    """The prompt: SmolLM2's chat format, without a system message."""
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


def choosing(task: str, facts: Sequence[tuple[str, str]]) -> list[Example]:
    """The right one of four names; the other three are right for other texts. `answer` is the right one's key."""
    rng = random.Random(task)
    names = sorted({name for _, name in facts})
    examples = []
    for i, (text, right) in enumerate(facts):
        drawn = [*rng.sample([name for name in names if name != right], len(CHOICES) - 1), right]
        rng.shuffle(drawn)
        key = CHOICES[drawn.index(right)]
        examples.append(Example(f"{task}-{i}", text, key, choices=dict(zip(CHOICES, drawn, strict=True)), task=task))
    return examples


def capitals() -> list[tuple[str, str]]:
    """(country, capital)."""
    return [(country, capital) for country, capital in _entries(CAPITALS)]


def cities() -> list[tuple[str, str]]:
    """(city, country); no capitals of the list above but Prague, Amsterdam, Manila and Pretoria."""
    return [(city.strip(), country) for country, names in _entries(CITIES) for city in names.split(",")]


def _entries(text: str) -> list[tuple[str, str]]:
    """`key: value; key: value` over several lines."""
    pairs = (entry.split(":") for entry in text.replace("\n", " ").split(";"))
    return [(key.strip(), value.strip()) for key, value in pairs]
