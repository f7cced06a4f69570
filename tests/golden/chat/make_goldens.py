"""Writes the golden texts of this folder with the Python packages `transformers` (5.24.0) and `jinja2` (3.1.6): templates.golden.json by apply_chat_template on the
templates of templates/, snippets.golden.json by the same renderer on small templates of one construct each.

    pip install transformers==5.24.0 jinja2==3.1.6
    python tests/golden/chat/make_goldens.py        # from the checkout's root
"""
import datetime
import json
from pathlib import Path

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

HERE = Path(__file__).parent
NOW = datetime.datetime(2024, 8, 1, 12, 34, 56)  # UTC

TOKENS = {
    "smollm2": ("<|im_start|>", "<|im_end|>"), "smollm3": (None, "<|im_end|>"), "chatml": (None, "<|im_end|>"), "qwen2": (None, "<|im_end|>"), "qwen2.5": (None, "<|im_end|>"),
    "qwen3": (None, "<|im_end|>"), "phi3-mini": ("<s>", "<|endoftext|>"), "phi3.5-mini": ("<s>", "<|endoftext|>"), "own-llama3": ("<|begin_of_text|>", "<|eot_id|>"),
    "own-gemma": ("<bos>", "<eos>"), "own-olmo2": ("<|endoftext|>", "<|endoftext|>"),
}

CONVERSATIONS = [
    [("user", "Who wrote Faust?")],
    [("system", "Answer in one word."), ("user", "Who wrote Faust?")],
    [("user", " leading"), ("assistant", "  padded \n"), ("user", "last\n\n")],
    [("system", " Größe é "), ("user", "日本語 \u00a0"), ("assistant", "<think>\nhm\n</think>\n\nAntwort 🦙\u2028"), ("user", "und\tweiter?"), ("assistant", "Ja."), ("user", "")],
    [("user", "<think>a</think> {{ x }} {% if %} 'quote\" \\ </s>"), ("assistant", "\n\nb")],
    [("user", "one"), ("user", "two")],
    [("assistant", "I begin.")],
    [("system", "alone")],
    [("system", "You /no_think and /think"), ("user", "x"), ("assistant", "y"), ("system", "late"), ("user", "z")],
    [("tool", "{\"a\": 1}"), ("user", "\x07\x1f&<>'\u2026")],
]

VARIABLES = {
    "qwen3": [{}, {"enable_thinking": False}], "smollm3": [{}, {"enable_thinking": False}], "own-llama3": [{}, {"date_string": "1 Jan 2000"}],
}

# A construct or a few on each line, rendered with MESSAGES; a line ends at the first failure. SIGNS stand for white space.
SIGNS = {"⏎": "\n", "␍": "\r", "⇥": "\t", "⍽": "\u00a0"}
MESSAGES = CONVERSATIONS[3]
SNIPPETS = r"""
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 6 / 3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ -2 ** 2 }}
{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }} {{ 10 - 2 - 3 }} {{ 2 ** 3 ** 2 }} {{ 1.5 + 1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1e3 }} {{ 1e16 }} {{ 0.1 + 0.2 }} {{ 1e-5 }} {{ 1_000 }} {{ true + 1 }} {{ 5 * true }}
{{ 1 / 0 }}
{{ 1 + 'a' }}
{{ 'a' + none }}
{{ 'a' + nothing }}
{{ 'ab' * 3 }}|{{ 2 * 'x' }}|{{ 'a' * -1 }}|{{ [1, 2] + [3] }}|{{ (1,) + (2, 3) }}|{{ 'a' ~ 1 ~ none ~ true ~ 2.0 ~ [1, 'b'] ~ {'k': 'v'} }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ 'é' > 'z' }} {{ [1] == [1] }} {{ [1] == (1,) }} {{ {'a': 1} == {'a': 1.0} }} {{ none == none }} {{ x == y }} {{ 1 != '1' }}
{{ 1 < 'a' }}
{{ 'a' in 'abc' }} {{ 'd' not in 'abc' }} {{ 2 in [1, 2] }} {{ 'k' in {'k': 1} }} {{ 1 in (2, 3) }} {{ 'x' in nothing }} {{ not 'a' in 'b' }} {{ '' in '' }}
{{ 1 in 'abc' }}
{{ 'a' in none }}
{{ true and 'x' }}|{{ '' or 'y' }}|{{ 0 and z }}|{{ not '' }}|{{ not not 1 }}|{{ none or [] or {} or 'end' }}|{{ 1 if 0 else 2 }}|{{ 1 if 0 }}|{{ (1 if 0) is defined }}|{{ 1 if 1 else 2 if 1 else 3 }}
{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'abc'[5] }}|{{ 'aé日🦙'[::-1] }}|{{ 'abcdef'[1:4] }}|{{ 'abcdef'[::2] }}|{{ 'abcdef'[4:1:-1] }}|{{ 'abc'[-2:] }}|{{ 'abc'[:-1] }}|{{ 'abc'[10:] }}|{{ 'abc'[-10:2] }}
{{ [1, 2, 3][1:] }} {{ (1, 2, 3)[::-1] }} {{ [1, 2, 3][-1] }} {{ [1][7] }} {{ [[1, 2], [3]][0][1] }} {{ {'a': {'b': 'c'}}.a.b }} {{ {'a': 1}['z'] }} {{ {1: 'one'}[1] }} {{ {1: 'one', true: 'uno'} }} {{ [1, 2].1 }}
{{ [1][::0] }}
{{ nothing.x }}
{{ nothing['x'] }}
{{ nothing[1:] }}
{{ none.x }}|{{ none['x'] }}|{{ 'text'.x }}|{{ [1]['a'] }}|{{ messages[0].absent }}|{{ messages[99] }}|{{ 1['a'] }}
{{ messages[99].content }}
{{ messages[0].absent.more }}
{{ nothing }}|{{ none }}|{{ true }}|{{ False }}|{{ 1.0 }}|{{ 100000000000000000000.0 }}|{{ [] }}|{{ {} }}|{{ () }}|{{ (1,) }}|{{ [none, true, 1.5, 'a\'b', "a'b", "\n\t\x01", nothing] }}
{{ 'tab\tnew\\ \x41 \u00e9 \U0001F999 \q' }}{{ "double 'single'" }}{{ 'adjacent ' 'texts' }}
{{ messages | length }} {{ 'aé日🦙' | length }} {{ {'a': 1} | count }} {{ nothing | length }} {{ range(5) | length }}
{{ 5 | length }}
{{ none | length }}
{{ '  x ' | trim }}|{{ '\u00a0\u2003x\u2028\x1f' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 5 | trim }}|{{ none | trim }}|{{ nothing | trim }}|{{ '-=a=-' | trim('=-') }}
{{ 'aBc dE' | upper }} {{ 'aBc dE' | lower }} {{ 'aBc dE' | capitalize }} {{ "they're bill's-friends (from) the uk" | title }} {{ 'über Éa ñ' | upper }} {{ 'ÜBER ÉA Ñ Ж' | lower }}
{{ "they're bill's friends 3rd".title() }} {{ 'aBc'.upper() }} {{ 'aBc'.lower() }} {{ 'aBC d'.capitalize() }} {{ 'ÀÉ'.lower() }}
{{ ' a b '.strip() }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ '\n\na\n'.strip('\n') }}|{{ 'xyax'.lstrip('yx') }}|{{ 'aéé'.rstrip('é') }}|{{ ''.strip() }}
{{ 'a,b,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a  b c'.split(none, 1) }} {{ ''.split(',') }} {{ ''.split() }} {{ 'a--b'.split('--')[-1] }} {{ 'a b c'.split(maxsplit=1) }} {{ 'abc'.split(sep='b') }}
{{ 'abc'.split('') }}
{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith('bc') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('') }} {{ 'abc'.startswith('abcd') }}
{{ 'abc'.startswith(1) }}
{{ 'aXbX'.replace('X', '-') }} {{ 'aXbX'.replace('X', '-', 1) }} {{ 'ab'.replace('', '.') }} {{ 'aé'.replace('', '.', 2) }} {{ 'abc' | replace('b', 'd') }} {{ 112 | replace(1, 3) }} {{ 'aaa' | replace('a', 'b', 2) }}
{{ 'a\nb\r\nc\x0bd\u2028e'.splitlines() | length }} {{ 'aéb'.find('b') }} {{ 'ab'.find('x') }} {{ 'abab'.count('ab') }} {{ '-'.join(['a', 'b']) }} {{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }}
{{ '-'.join([1]) }}
{{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 'd') }} {% for k, v in {'x': 1, 'y': 2}.items() %}{{ k }}={{ v }};{% endfor %} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }}
{{ 'a'.items() }}
{{ messages.append(1) }}
{{ nothing.strip() }}
{{ none.strip() }}
{{ {'a': 1, 'b': [1, 2.5, none, true], 'c': 'é"\n\x01<&>/'} | tojson }}
{{ {'a': 1, 'b': [1, {}], 'c': [], 'd': {}} | tojson(indent=2) }}
{{ {'b': 1, 'a': 'é🦙'} | tojson(ensure_ascii=true, sort_keys=true) }} {{ [1, 2] | tojson(separators=(',', ':')) }} {{ {'a': [1]} | tojson(indent=0) }} {{ 'x' | tojson }} {{ (1, 2) | tojson }} {{ 1.0 | tojson }}
{{ nothing | tojson }}
{{ messages | tojson }}
{{ [1, 2, 3] | join }} {{ ['a', none, 1] | join(', ') }} {{ messages | join('|', attribute='role') }} {{ 'abc' | join('-') }} {{ [] | join('x') }} {{ nothing | join }}
{{ nothing | default('d') }} {{ none | default('d') }} {{ none | default('d', true) }} {{ '' | default('d', boolean=true) }} {{ messages[0].x | default('y') }} {{ nothing | d }} {{ 0 | d('z') }}
{{ [1, 2] | first }} {{ [1, 2] | last }} {{ 'abc' | first }} {{ 'abc' | last }} {{ [] | first }} {{ {'k': 1} | first }} {{ (messages | first).role }}
{{ 'abc' | list }} {{ (1, 2) | list }} {{ {'a': 1} | list }} {{ 5 | string + '!' }} {{ [1] | string }} {{ '42' | int + 1 }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ '3.9' | int }} {{ 3.9 | int }} {{ ' -5 ' | int }} {{ '1.5' | float }} {{ none | int(3) }}
{{ -3 | abs }} {{ (-3) | abs }} {{ (-2.5) | abs }} {{ +3 }}
{{ messages | map(attribute='role') | list }} {{ ['a', 'b'] | map('upper') | join }} {{ messages | map(attribute='x', default='-') | join }} {{ [' a ', 'b'] | map('trim') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | rejectattr('role', 'in', ['user', 'system']) | map(attribute='role') | list }} {{ [1, none, 2] | select | list }} {{ [1, 2, 3] | select('odd') | list }} {{ [1, 2, 3] | reject('equalto', 2) | list }} {{ messages | selectattr('absent', 'defined') | list }} {{ messages | selectattr('content') | list | length }}
{{ none | selectattr('a') | list }} {{ none | map('upper') | list }}
{% set g = [1, 2] | select %}{{ g | list }}{{ g | list }} {{ 'true' if ([] | select) else 'false' }} {% set h = [1, 2, 3] | map('string') %}{{ h | first }}{{ h | list }}
{{ messages | map('nosuchfilter') | list }}
{{ [1, 2] | select | length }}
{% for k, v in {'x': 1, 'y': 2} | items %}{{ k }}{{ v }}{% endfor %}{% for k, v in nothing | items %}never{% endfor %}
{{ none | items | list }}
{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A', 'c'] | sort(case_sensitive=true) }} {{ [3, 1, 2] | sort(reverse=true) }} {{ messages | sort(attribute='role') | map(attribute='role') | join(',') }} {{ {'b': 1, 'A': 2} | dictsort }} {{ {'b': 1, 'A': 2} | dictsort(true) }}
{{ [1, 'a'] | sort }}
{{ [1, 2, 1, 3] | unique | list }} {{ ['a', 'A', 'b'] | unique | list }} {{ messages | unique(attribute='role') | map(attribute='role') | list }} {{ 'abc' | reverse }} {{ [1, 2, 3] | reverse | list }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb\n' | indent(2, blank=true) }}|{{ 'a\nb' | indent('--') }}|{{ 'a\nb' | indent(width=1, first=true) }}
{{ '<b>' | safe }}{{ ('a' ~ 'b') | safe }}
{{ 1 is defined }} {{ x is defined }} {{ x is undefined }} {{ none is none }} {{ x is none }} {{ 'a' is string }} {{ 1 is number }} {{ true is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is integer }} {{ 1.0 is float }} {{ true is boolean }} {{ {} is mapping }} {{ [] is mapping }}
{{ [] is iterable }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ x is iterable }} {{ {} is iterable }} {{ [] is sequence }} {{ 'a' is sequence }} {{ {} is sequence }} {{ 1 is sequence }} {{ x is sequence }} {{ ([1] | select) is sequence }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ none is false }}
{{ 1 is eq 1 }} {{ 1 is equalto 2 }} {{ 1 is in [1] }} {{ 3 is odd }} {{ 3 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ 1 is not none }} {{ not 1 is none }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 2 is ge(2) }} {{ 'a' is eq 'a' and true }} {{ x is not defined or 0 }}
{{ messages[0]['role'] is string and messages[0].content is not mapping }}
{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem.role if not loop.first }}{{ loop.nextitem is defined }}{{ loop.nextitem.role if not loop.last }};{% endfor %}
{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}{{ m.content }}{% else %}none{% endfor %}{% for m in messages if m.role == 'x' %}{% else %}empty{% endfor %}
{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}{% for c in 'aé' %}{{ c }}.{% endfor %}
{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}
{% for a in 5 %}{% endfor %}
{% for a in none %}{% endfor %}
{% for a in nothing %}{% else %}else{% endfor %}
{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in [1, 2] %}{% for j in [1, 2, 3] %}{% if j == 2 %}{% break %}{% endif %}{{ i }}{{ j }}{{ loop.index }} {% endfor %}{{ loop.index }}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}
{% set ns = namespace(x=1, y='a') %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% set ns.z = i %}{% endfor %}{{ ns.x }}{{ ns.y }}{{ ns.z }}{{ ns.absent }}
{% set x.y = 1 %}
{% set d = {'a': 1} %}{% set d.a = 2 %}{{ d.a }}
{% set a, b = 1, 2 %}{{ b }}{{ a }}{% set t = 1, 'x' %}{{ t }}{% set (c, d) = [3, 4] %}{{ c }}{{ d }}
{% set block %} text {{ 1 + 1 }}{% set inner = 5 %} {% endset %}[{{ block }}]{{ inner is defined }}
{% macro m(a, b=2, c=a) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=4) }}{{ m() }}{{ m(1, c='z') }}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(z=2) }}
{% macro f(n) %}{{ n }}{% if n > 0 %},{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}{% set x = 'late' %}{% macro g() %}{{ x }}{% endmacro %}{% set x = 'later' %}{{ g() }}{% for x in [1] %}{{ g() }}{% endfor %}
{% macro m() %}{% set hidden = 1 %}  body  {% endmacro %}[{{ m() | trim }}]{{ hidden is defined }}{{ m is defined }}{{ range is defined }}{{ strftime_now is defined }}{{ caller is defined }}
{{ raise_exception('No ' ~ messages[0].role) }}
{% if messages | length > 3 %}{{ raise_exception("a\nb") }}{% endif %}
{{ strftime_now('%Y-%m-%d %H:%M:%S') }} {{ strftime_now('%d %b %Y') }} {{ strftime_now('%A %B %j %%') }}
{{ dict(a=1, b='x') }} {{ dict() }} {{ namespace(a=1).a }}
{{ bos_token }}{{ eos_token }}{{ unk_token }}{{ pad_token is defined }}{{ add_generation_prompt }}{{ tools }}{{ documents is none }}
{% generation %}a{% set y = 1 %}{% endgeneration %}{{ y is defined }}
a⏎  {% if true %}⏎  b⏎  {% endif %}⏎  c⏎
a⏎  {%- if true -%}⏎  b⏎  {%- endif -%}⏎  c⏎
a⏎  {%+ if true +%}⏎  b⏎  {%+ endif +%}⏎  c⏎⏎
  {# comment #}⏎  x {# c #} y⏎  {#- c -#}⏎ z {#+ c +#}⏎⏎
{{ 1 }}⏎{{ 2 -}}⏎  {{- 3 }}⏎ {{ 4 }}  ⏎
{% if true %}⏎⏎  x⏎{% endif %}⏎⏎⏎
␍⏎a␍⏎b␍c{% if true %}␍⏎d{% endif %}
 {% if 1 %} {% endif %} ⏎⇥{% if 1 %}x{% endif %}⏎ ⍽{% if 1 %}y{% endif %}
{{ {'a': {'b': 1}}['a']['b'] }}{{ {'}}': '%}'}['}}'] }}{{ '{{' }}{{ "{%" }}{{ [{'a': 1}][0].a }}
{ {x} {%if 1%}a{%else%}b{%endif%}{{1}}{%-if 0-%}{%-elif 1-%}c{%-endif-%} }
{{ 1 if true else nothing.x }}{{ true or nothing.x }}{{ false and nothing.x }}
{% if nothing %}a{% elif none %}b{% elif [] %}c{% elif 0.0 %}d{% elif {} %}e{% elif '' %}f{% else %}g{% endif %}{% if 'a' and [0] and {'a': 0} and 0.1 %}h{% endif %}
{{ (1, 2) }}{{ 1, 2 }}{% if 1, %}t{% endif %}{{ [1, 2,] }}{{ {'a': 1,} }}
{{ messages[::-1][0].role }}{{ messages[1:][0].content }}{{ (messages | last).content == '' }}{{ messages[0] == messages[0] }}{{ messages[-1]['role'] }}{{ messages[1] in messages }}
{{ 'a' 'b' ~ 'c' | upper }}{{ -1 | string }}{{ 'x' * 2 + 'y' }}{{ 2 * 2 ~ 3 }}{{ 'a' ~ 1 + 1 ~ 'b' }}
{{ 'a' + 1 ~ 'b' }}{{ not true == false }}{{ 1 + 2 == 3 and 2 in [2] or nothing.x }}{{ not 1 in [2] }}
{{ 1 + 1 ~ 'a' }}
""".strip("\n").split("\n")


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def as_messages(conversation):
    return [{"role": role, "content": content} for role, content in conversation]


def outcome(render):
    """The text, what raise_exception said, or that it fails in some other way."""
    import jinja2

    try:
        return {"text": render()}
    except jinja2.exceptions.TemplateSyntaxError:
        raise
    except Exception as error:  # Python's own errors pass through the renderer as they are
        if type(error) is jinja2.exceptions.TemplateError:
            return {"raised": str(error)}
        return {"fails": type(error).__name__}


def template_rows(name, template):
    bos, eos = TOKENS.get(name, ("<s>", "</s>"))
    tokens = {key: token for key, token in (("bos_token", bos), ("eos_token", eos)) if token}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), chat_template=template, **tokens)
    rows = []
    for number, conversation in enumerate(CONVERSATIONS):
        for variables in VARIABLES.get(name, [{}]):
            for prompt in (True, False):
                def render():
                    return tokenizer.apply_chat_template(as_messages(conversation), tokenize=False, add_generation_prompt=prompt, **variables)
                row = {"conversation": number, "adds_generation_prompt": prompt}
                rows.append(row | ({"variables": variables} if variables else {}) | outcome(render))
    return {"tokens": tokens, "rows": rows}


def snippet_rows():
    rows = []
    for template in SNIPPETS:
        for sign, character in SIGNS.items():
            template = template.replace(sign, character)
        compiled = chat_template_utils._compile_jinja_template(template)
        def render():
            return compiled.render(messages=as_messages(MESSAGES), tools=None, documents=None, add_generation_prompt=True, bos_token="<s>", eos_token="</s>")
        rows.append({"template": template} | outcome(render))
    return rows


def write(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main():
    chat_template_utils.datetime = Clock
    templates = {}
    for path in sorted((HERE / "templates").glob("*.jinja")):
        templates[path.stem] = template_rows(path.stem, path.read_bytes().decode("utf-8"))
    conversations = [as_messages(each) for each in CONVERSATIONS]
    write("templates.golden.json", {"conversations": conversations, "templates": templates})
    write("snippets.golden.json", {"messages": as_messages(MESSAGES), "rows": snippet_rows()})


if __name__ == "__main__":
    main()
