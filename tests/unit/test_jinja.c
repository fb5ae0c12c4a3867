/*
 * lib/text/jinja. What each template must give was taken from Jinja2 3.1 with the settings of transformers;
 * all see the same variables.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "io/json.h"
#include "jinja/jinja.h"
#include "tests/unit/support/templates.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char vars[] =
	"{\"s\":\"Hello, W\303\266rld\",\"e\":\"\",\"n\":null,\"t\":true,\"f\":false,\"i\":42,\"neg\""
	":-7,\"fl\":3.25,\"l\":[3,1,2],\"ls\":[\"b\",\"A\",\"c\",\"a\"],\"d\":{\"b\":1,\"a\":2,\"C\""
	":3},\"nested\":[{\"name\":\"x\",\"v\":1,\"in\":{\"k\":[1,2]}},{\"name\":\"Y\",\"v\":2,\"in\""
	":{\"k\":[3]}},{\"name\":\"x\",\"v\":3}],\"msgs\":[{\"role\":\"user\",\"content\":\"hi <b>\""
	"},{\"role\":\"assistant\",\"content\":null},{\"role\":\"tool\",\"content\":[\"a\",{\"type\""
	":\"text\",\"text\":\"z\"}]}],\"ml\":\"line1\\nline2\\n\\n  line4\\r\\nlast\",\"uni\":\"\346"
	"\227\245\346\234\254\350\252\236\343\203\206\343\202\255\343\202\271\343\203\210\360\237\230"
	"\200 \304\260stanbul \303\237 \357\254\201 \316\221\316\243\",\"sp\":\"  pad\\t\\n\",\"html"
	"\":\"<a href=\\\"x\\\">T&amp;m 'q'</a>\",\"big\":9007199254740992,\"items\":{\"items\":1,\""
	"keys\":2}}";

static const char *const renders[][2] = {
	{"{{ 'x' if 1 | select }}{{ 'y' if 2 | map('upper') }}{{ 'z' if 3 | unique }}", "xyz"},
	{"{{ 1 }};{{ 1.0 }};{{ 1e5 }};{{ 1.5e-7 }};{{ 1e16 }};{{ 1e22 }};{{ 123456789012345678.0 }};{{ 0x1F }};{{ 0b101 }};{{ 0o17 }};{{ 1_000 }};{{ 'a' 'b' }};", "1;1.0;100000.0;1.5e-07;1e+16;1e+22;1.2345678901234568e+17;31;5;15;1000;ab;"},
	{"{{ '\\n\\t\\x41\\u00e9\\101' }};{{ '\\q' }};{{ \"it's\" }};{{ [1,'a',None,true,2.5] }};{{ (1,) }};{{ () }};{{ (1,2) }};{{ {} }};{{ {'a':1,'b':[1]} }};", "\n\tA\303\251A;\\q;it's;[1, 'a', None, True, 2.5];(1,);();(1, 2);{};{'a': 1, 'b': [1]};"},
	{"{{ {1:2,none:3} }};{{ [] }};{{ 1+2*3 }};{{ 2**10 }};{{ 2**-1 }};{{ -2**2 }};{{ 7//2 }};{{ -7//2 }};{{ 7%3 }};{{ -7%3 }};{{ 7.5//2 }};{{ 7.5%2 }};", "{1: 2, None: 3};[];7;1024;0.5;4;3;-4;1;2;3.0;1.5;"},
	{"{{ -7.5%2 }};{{ 7/2 }};{{ 6/3 }};{{ 2**0.5 }};{{ 10**18 }};{{ -(-3) }};{{ +3 }};{{ not 1 }};{{ not none }};{{ 1 and 0 }};{{ 0 or 'x' }};", "0.5;3.5;2.0;1.4142135623730951;1000000000000000000;3;3;False;True;0;x;"},
	{"{{ '' or none }};{{ 1 < 2 < 3 }};{{ 1 < 2 > 3 }};{{ 3 > 2 >= 2 }};{{ 1 == 1.0 }};{{ true == 1 }};{{ 'a' == 'a' }};{{ 'a' < 'b' }};{{ [1,2] < [1,3] }};", "None;True;False;True;True;True;True;True;True;"},
	{"{{ (1,2)==(1,2) }};{{ [1]==(1,) }};{{ {'a':1}=={'a':1.0} }};{{ 1 in [1,2] }};{{ 3 not in [1,2] }};{{ 'a' in 'abc' }};{{ 'a' in d }};", "True;False;True;True;True;True;True;"},
	{"{{ none in [none] }};{{ 'x' ~ 1 ~ none ~ 2.0 ~ [1] }};{{ 'a' + 'b' }};{{ [1]+[2] }};{{ (1,)+(2,) }};{{ 'a'*3 }};{{ 3*'a' }};{{ [1]*2 }};{{ 'a'*-1 }};", "True;x1None2.0[1];ab;[1, 2];(1, 2);aaa;aaa;[1, 1];;"},
	{"{{ '%s-%d' % ('a',5) }};{{ '%s' % none }};{{ '%(a)s' % {'a':1} }};{{ '%x %X %o %#x' % (255,255,8,255) }};{{ '%e %g %G' % (12345.678,0.00001,1e20) }};", "a-5;None;1;ff FF 10 0xff;1.234568e+04 1e-05 1E+20;"},
	{"{{ '%r %s' % ('a\\'b',[1,'x']) }};{{ '%c' % 65 }};{{ '%c' % 'z' }};{{ '%%' % () }};{{ '%+d % d' % (3,4) }};{{ '%.3s' % 'abcdef' }};{{ '%*d' % (5,42) }};", "\"a'b\" [1, 'x'];A;z;%;+3  4;abc;   42;"},
	{"{{ '%i' % 3.99 }};{{ '%s' % [1,2] }};{{ 'abc' % [1] }};{{ '%.10f' % 0.1 }};{{ '%s' % 1.0 }};{{ '%s' % undefinedvar }};{{ 1 if true else 2 }};", "3;[1, 2];abc;0.1000000000;1.0;;1;"},
	{"{{ 1 if false }};{{ 'a' if s else 'b' }};{{ s if not s else e }};{{ 1 if 0 else 2 if 0 else 3 }};{{ s[0] }};{{ s[-1] }};{{ s[100] }};{{ s[1:3] }};", ";a;;3;H;d;;el;"},
	{"{{ s[::-1] }};{{ s[::2] }};{{ s[-3:] }};{{ s[:-3] }};{{ s[5:2] }};{{ s[10:0:-2] }};{{ uni[0:3] }};{{ uni[::-1] }};{{ uni[7] }};{{ uni[-2] }};", "dlr\303\266W ,olleH;Hlo \303\266l;rld;Hello, W\303\266;;l\303\266 ol;\346\227\245\346\234\254\350\252\236;\316\243\316\221 \357\254\201 \303\237 lubnats\304\260 \360\237\230\200\343\203\210\343\202\271\343\202\255\343\203\206\350\252\236\346\234\254\346\227\245;\360\237\230\200;\316\221;"},
	{"{{ l[0] }};{{ l[-1] }};{{ l[9] }};{{ l['x'] }};{{ l[1:] }};{{ l[::-1] }};{{ d['a'] }};{{ d['zz'] }};{{ d.zz }};{{ items['items'] }};{{ items.keys() }};", "3;2;;;[1, 2];[2, 1, 3];2;;;1;dict_keys(['items', 'keys']);"},
	{"{{ n.x }};{{ n['x'] }};{{ n[0] }};{{ i.x }};{{ i.real }};{{ fl.is_integer() }};{{ s.foo }};{{ s['upper']() }};{{ s[none] }};{{ l[true] }};", ";;;;42;False;;HELLO, W\303\226RLD;;1;"},
	{"{{ undefinedvar }};{{ undefinedvar == undefinedvar2 }};{{ undefinedvar == none }};{{ undefinedvar in [1] }};{{ 1 in undefinedvar }};", ";True;False;False;False;"},
	{"{{ d[undefinedvar] }};{{ d[[1]] }};{{ l[undefinedvar] }};{{ 'a'~undefinedvar }};{{ 'abc'[1] }};{{ 'abc'.upper() }};{{ (1,2,3)[1:] }};", ";;;a;b;ABC;(2, 3);"},
	{"{{ range(10)[2:5] }};{{ range(3) }};{{ range(0) }};{{ 1.e5 }};{{ 1 .real }};{{ true + 1 }};{{ true * 2 }};{{ -true }};{{ 1.5 == 1.5 }};{{ 0.1+0.2 }};", "range(2, 5);range(0, 3);range(0, 0);;1;2;2;-1;True;0.30000000000000004;"},
	{"{{ 1e308*10 }};{{ -1e308*10 }};{{ 1e400 }};{{ nan }};{{ 9223372036854775807 }};{{ -9223372036854775807-1 }};{{ [1,2,3][:2] }};", "inf;-inf;inf;;9223372036854775807;-9223372036854775808;[1, 2];"},
	{"{{ {'a':{'b':{'c':1}}}.a.b.c }};{{ s.upper().lower().title() }};{{ [[1,2],[3]][0][1] }};{{ d.get('a') }};{{ d.get('q') }};{{ d.get('q',5) }};", "1;Hello, W\303\266rld;2;2;None;5;"},
	{"{{ d.keys() }};{{ d.values() }};{{ d.items() }};{{ d.copy() }};{{ l.index(1) }};{{ l.count(1) }};{{ l.copy() }};{{ (1,2).index(2) }};", "dict_keys(['b', 'a', 'C']);dict_values([1, 2, 3]);dict_items([('b', 1), ('a', 2), ('C', 3)]);{'b': 1, 'a': 2, 'C': 3};1;1;[3, 1, 2];1;"},
	{"{{ (1,1).count(1) }};{{ l.append }};{{ d.update }};{{ s.__class__ }};{{ dict(a=1,b=2) }};{{ dict([['a',1]]) }};{{ dict({'x':1},y=2) }};", "2;;;;{'a': 1, 'b': 2};{'a': 1};{'x': 1, 'y': 2};"},
	{"{{ True }};{{ None }};{{ s.strip() }};{{ s.lstrip() }};{{ s.rstrip() }};{{ s.strip('Hd') }};{{ s.strip(none) }};{{ s.split() }};{{ s.split(',') }};", "True;None;Hello, W\303\266rld;Hello, W\303\266rld;Hello, W\303\266rld;ello, W\303\266rl;Hello, W\303\266rld;['Hello,', 'W\303\266rld'];['Hello', ' W\303\266rld'];"},
	{"{{ s.split(', ',1) }};{{ s.split('l',-1) }};{{ s.split(none,1) }};{{ s.split(maxsplit=1) }};{{ s.split(sep='l') }};{{ s.rsplit('l',1) }};", "['Hello', 'W\303\266rld'];['He', '', 'o, W\303\266r', 'd'];['Hello,', 'W\303\266rld'];['Hello,', 'W\303\266rld'];['He', '', 'o, W\303\266r', 'd'];['Hello, W\303\266r', 'd'];"},
	{"{{ s.rsplit() }};{{ s.rsplit(none,1) }};{{ s.splitlines() }};{{ s.splitlines(true) }};{{ s.startswith('He') }};{{ s.startswith(('x','H')) }};", "['Hello,', 'W\303\266rld'];['Hello,', 'W\303\266rld'];['Hello, W\303\266rld'];['Hello, W\303\266rld'];True;True;"},
	{"{{ s.startswith('l',2) }};{{ s.endswith('d') }};{{ s.endswith(('d','x'),0,3) }};{{ s.replace('l','L') }};{{ s.replace('l','L',1) }};", "True;True;False;HeLLo, W\303\266rLd;HeLlo, W\303\266rld;"},
	{"{{ s.replace('','-') }};{{ s.replace('l','') }};{{ s.find('l') }};{{ s.find('zz') }};{{ s.find('l',4) }};{{ s.find('l',-4,-1) }};{{ s.rfind('l') }};", "-H-e-l-l-o-,- -W-\303\266-r-l-d-;Heo, W\303\266rd;2;-1;10;10;10;"},
	{"{{ s.index('W') }};{{ s.count('l') }};{{ s.count('') }};{{ s.upper() }};{{ s.lower() }};{{ s.title() }};{{ s.capitalize() }};{{ s.swapcase() }};", "7;3;13;HELLO, W\303\226RLD;hello, w\303\266rld;Hello, W\303\266rld;Hello, w\303\266rld;hELLO, w\303\226RLD;"},
	{"{{ s.join(['a','b']) }};{{ s.join('xyz') }};{{ s.format(1) }};{{ s.zfill(20) }};{{ s.zfill(2) }};{{ s.ljust(20,'*') }};{{ s.rjust(20) }};", "aHello, W\303\266rldb;xHello, W\303\266rldyHello, W\303\266rldz;Hello, W\303\266rld;00000000Hello, W\303\266rld;Hello, W\303\266rld;Hello, W\303\266rld********;        Hello, W\303\266rld;"},
	{"{{ s.center(21,'-') }};{{ s.center(20,'-') }};{{ s.center(3) }};{{ s.isdigit() }};{{ s.isalpha() }};{{ s.isalnum() }};{{ s.isspace() }};", "-----Hello, W\303\266rld----;----Hello, W\303\266rld----;Hello, W\303\266rld;False;False;False;False;"},
	{"{{ s.isupper() }};{{ s.islower() }};{{ s.istitle() }};{{ s.isnumeric() }};{{ s.isdecimal() }};{{ s.isascii() }};{{ s.isidentifier() }};", "False;False;True;False;False;False;False;"},
	{"{{ s.isprintable() }};{{ s.removeprefix('Hel') }};{{ s.removesuffix('ld') }};{{ s.removesuffix('') }};{{ s.partition(',') }};{{ s.partition('zz') }};", "True;lo, W\303\266rld;Hello, W\303\266r;Hello, W\303\266rld;('Hello', ',', ' W\303\266rld');('Hello, W\303\266rld', '', '');"},
	{"{{ s.rpartition('l') }};{{ s.rpartition('zz') }};{{ s.expandtabs() }};{{ '{} {}'.format(1,'a') }};{{ '{0}{1}{0}'.format('a','b') }};", "('Hello, W\303\266r', 'l', 'd');('', '', 'Hello, W\303\266rld');Hello, W\303\266rld;1 a;aba;"},
	{"{{ '{a}'.format(a=1) }};{{ '{a[0]}{b.x}'.format(a=[9],b={'x':3}) }};{{ '{:05d} {:+d} {:,} {:x} {:#x} {:b} {:o}'.format(42,7,1234567,255,255,5,8) }};", "1;93;00042 +7 1,234,567 ff 0xff 101 10;"},
	{"{{ '{:.2f} {:8.3f} {:e} {:g} {:%}'.format(3.14159,2.5,12345.6,0.0001,0.256) }};{{ '{:.3}'.format('abcdef') }};{{ '{!r} {!s}'.format('a','b') }};", "3.14    2.500 1.234560e+04 0.0001 25.600000%;abc;'a' b;"},
	{"{{ '{:*^9}'.format('mid') }};{{ '{{}}'.format() }};{{ '{:{}}'.format('a',5) }};{{ '{:{w}.{p}f}'.format(3.14159,w=8,p=2) }};{{ '{}'.format(none) }};", "***mid***;{};a    ;    3.14;None;"},
	{"{{ '{}'.format([1,'a']) }};{{ '{0.real}'.format(5) }};{{ '{0.__class__}'.format(5) }};{{ '{:,.2f}'.format(1234567.891) }};{{ '{:_}'.format(1234567) }};", "[1, 'a'];5;;1,234,567.89;1_234_567;"},
	{"{{ '{a}{b}'.format(**{'a':1,'b':2}) }};{{ '{}'.format(*[7]) }};{{ '{:n}'.format(5) }};{{ '{:c}'.format(65) }};{{ '{:10.3}'.format(3.14159) }};", "12;7;5;A;      3.14;"},
	{"{{ '{:.0f}'.format(2.5) }};{{ '{}'.format(1.0) }};{{ '{:}'.format(true) }};{{ '{:d}'.format(true) }};{{ '{:5}'.format(true) }};", "2;1.0;True;1;    1;"},
	{"{{ '{:\303\251^5}'.format('a') }};{{ '{:08.2f}'.format(-3.14159) }};{{ '{:010,}'.format(1234) }};{{ '{:=+6d}'.format(5) }};{{ '{:<06d}'.format(5) }};", "\303\251\303\251a\303\251\303\251;-0003.14;00,001,234;+    5;500000;"},
	{"{{ '{:.2e}'.format(0) }};{{ '{:g}'.format(100000) }};{{ '{:g}'.format(1000000) }};{{ '{:.3g}'.format(1234.5) }};{{ '{:#.3g}'.format(1.0) }};", "0.00e+00;100000;1e+06;1.23e+03;1.00;"},
	{"{{ '{:1.1}'.format(123.0) }};{{ '{:.5}'.format(123456.0) }};{{ '{:x}'.format(-255) }};{{ '{0[a]}'.format({'a':1}) }};{{ '{0[9]}'.format([1]) }};", "1e+02;1.2346e+05;-ff;1;;"},
	{"{{ '{a}'.format_map({'a':5}) }};{{ '%5.2f|%-5s|%05d' % (3.14159,'ab',42) }};{{ '%5s|%-8s|' % ('\303\251','\346\227\245\346\234\254') }};{{ undefinedvar|list }};", "5; 3.14|ab   |00042;    \303\251|\346\227\245\346\234\254      |;[];"},
	{"{{ 'abc'|upper|lower }};{{ '%s'|format('a') }};{{ '%s %s'|format('a','b') }};{{ '%(a)s'|format(a=1) }};{{ s|attr('x') }};{{ '12'|attr('x') }};", "abc;a;a b;1;;;"},
	{"{{ s|attr('items') }};{{ ' 7 '|attr('items') }};{{ s|batch(2)|list }};{{ 'abc'|batch(2)|list }};{{ s|batch(2,'z')|list }};", ";;[['H', 'e'], ['l', 'l'], ['o', ','], [' ', 'W'], ['\303\266', 'r'], ['l', 'd']];[['a', 'b'], ['c']];[['H', 'e'], ['l', 'l'], ['o', ','], [' ', 'W'], ['\303\266', 'r'], ['l', 'd']];"},
	{"{{ 'abc'|batch(2,'z')|list }};{{ s|capitalize }};{{ ' 7 '|capitalize }};{{ s|center }};{{ '12'|center }};{{ s|center(9) }};{{ '12'|center(9) }};", "[['a', 'b'], ['c', 'z']];Hello, w\303\266rld; 7 ;                                  Hello, W\303\266rld                                  ;                                       12                                       ;Hello, W\303\266rld;    12   ;"},
	{"{{ s|count }};{{ '3.9'|count }};{{ s|length }};{{ '3.9'|length }};{{ s|default('D') }};{{ '12'|default('D') }};{{ s|d('D',true) }};", "12;3;12;3;Hello, W\303\266rld;12;Hello, W\303\266rld;"},
	{"{{ '12'|d('D',true) }};{{ s|default('D',boolean=true) }};{{ '12'|default('D',boolean=true) }};{{ s|e }};{{ ' 7 '|e }};{{ s|escape }};", "12;Hello, W\303\266rld;12;Hello, W\303\266rld; 7 ;Hello, W\303\266rld;"},
	{"{{ ' 7 '|escape }};{{ s|forceescape }};{{ ' 7 '|forceescape }};{{ s|first }};{{ '3.9'|first }};{{ s|last }};{{ '3.9'|last }};{{ s|float }};", " 7 ;Hello, W\303\266rld; 7 ;H;3;d;9;0.0;"},
	{"{{ '12'|float }};{{ s|float(1.5) }};{{ '12'|float(1.5) }};{{ s|float(default=9) }};{{ '12'|float(default=9) }};{{ t|int }};{{ ' 7 '|int }};", "12.0;1.5;12.0;9;12.0;1;7;"},
	{"{{ s|int(5) }};{{ '12'|int(5) }};{{ t|int(base=16) }};{{ '3.9'|int(base=16) }};{{ t|int(0,8) }};{{ ' 7 '|int(0,8) }};{{ s|int(default=7,base=2) }};", "5;12;1;3;1;7;7;"},
	{"{{ '12'|int(default=7,base=2) }};{{ s|indent }};{{ '3.9'|indent }};{{ s|indent(2,true) }};{{ '3.9'|indent(2,true) }};{{ s|indent('>>',blank=true) }};", "12;Hello, W\303\266rld;3.9;  Hello, W\303\266rld;  3.9;Hello, W\303\266rld;"},
	{"{{ '3.9'|indent('>>',blank=true) }};{{ s|indent(width=1,first=true,blank=true) }};{{ '3.9'|indent(width=1,first=true,blank=true) }};{{ s|join }};", "3.9; Hello, W\303\266rld; 3.9;Hello, W\303\266rld;"},
	{"{{ '0x1f'|join }};{{ s|join(',') }};{{ '0x1f'|join(',') }};{{ s|join('-',attribute='name') }};{{ '3.9'|join('-',attribute='name') }};", "0x1f;H,e,l,l,o,,, ,W,\303\266,r,l,d;0,x,1,f;-----------;--;"},
	{"{{ s|join(d='|') }};{{ '0x1f'|join(d='|') }};{{ s|list }};{{ 'abc'|list }};{{ s|lower }};{{ ' 7 '|lower }};{{ s|upper }};{{ ' 7 '|upper }};", "H|e|l|l|o|,| |W|\303\266|r|l|d;0|x|1|f;['H', 'e', 'l', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'l', 'd'];['a', 'b', 'c'];hello, w\303\266rld; 7 ;HELLO, W\303\226RLD; 7 ;"},
	{"{{ s|title }};{{ ' 7 '|title }};{{ s|trim }};{{ ' 7 '|trim }};{{ s|trim('Hd') }};{{ ' 7 '|trim('Hd') }};{{ s|map('upper')|list }};", "Hello, W\303\266rld; 7 ;Hello, W\303\266rld;7;ello, W\303\266rl; 7 ;['H', 'E', 'L', 'L', 'O', ',', ' ', 'W', '\303\226', 'R', 'L', 'D'];"},
	{"{{ 'abc'|map('upper')|list }};{{ s|map(attribute='in.k.0',default='q')|list }};{{ 'abc'|map(attribute='in.k.0',default='q')|list }};", "['A', 'B', 'C'];['q', 'q', 'q', 'q', 'q', 'q', 'q', 'q', 'q', 'q', 'q', 'q'];['q', 'q', 'q'];"},
	{"{{ s|map('int')|list }};{{ '3.9'|map('int')|list }};{{ s|map('default','z')|join(',') }};{{ '0x1f'|map('default','z')|join(',') }};{{ s|max }};", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];[3, 0, 9];H,e,l,l,o,,, ,W,\303\266,r,l,d;0,x,1,f;\303\266;"},
	{"{{ '3.9'|max }};{{ s|min }};{{ ' 7 '|min }};{{ s|min(true) }};{{ ' 7 '|min(true) }};{{ s|select|list }};{{ 'abc'|select|list }};", "9; ; ; ; ;['H', 'e', 'l', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'l', 'd'];['a', 'b', 'c'];"},
	{"{{ s|select('string')|list }};{{ 'abc'|select('string')|list }};{{ s|reject('none')|list }};{{ 'abc'|reject('none')|list }};", "['H', 'e', 'l', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'l', 'd'];['a', 'b', 'c'];['H', 'e', 'l', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'l', 'd'];['a', 'b', 'c'];"},
	{"{{ s|selectattr('v')|list }};{{ '3.9'|selectattr('v')|list }};{{ nested|selectattr('name','equalto','x')|map(attribute='v')|list }};", "[];[];[1, 3];"},
	{"{{ s|rejectattr('v','in',[1,2])|list }};{{ 'abc'|rejectattr('v','in',[1,2])|list }};{{ s|replace('l','L') }};{{ ' 7 '|replace('l','L') }};", "['H', 'e', 'l', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'l', 'd'];['a', 'b', 'c'];HeLLo, W\303\266rLd; 7 ;"},
	{"{{ s|replace('l','L',1) }};{{ ' 7 '|replace('l','L',1) }};{{ s|reverse|list }};{{ 'abc'|reverse|list }};{{ s|reverse }};{{ '3.9'|reverse }};", "HeLlo, W\303\266rld; 7 ;['d', 'l', 'r', '\303\266', 'W', ' ', ',', 'o', 'l', 'l', 'e', 'H'];['c', 'b', 'a'];dlr\303\266W ,olleH;9.3;"},
	{"{{ s|safe }};{{ ' 7 '|safe }};{{ s|slice(2)|list }};{{ 'abc'|slice(2)|list }};{{ s|slice(3,'f')|list }};{{ 'abc'|slice(3,'f')|list }};{{ s|sort }};", "Hello, W\303\266rld; 7 ;[['H', 'e', 'l', 'l', 'o', ','], [' ', 'W', '\303\266', 'r', 'l', 'd']];[['a', 'b'], ['c']];[['H', 'e', 'l', 'l', 'f'], ['o', ',', ' ', 'W', 'f'], ['\303\266', 'r', 'l', 'd', 'f']];[['a', 'f'], ['b', 'f'], ['c', 'f']];[' ', ',', 'd', 'e', 'H', 'l', 'l', 'l', 'o', 'r', 'W', '\303\266'];"},
	{"{{ '0x1f'|sort }};{{ s|sort(true) }};{{ '0x1f'|sort(true) }};{{ s|sort(case_sensitive=true) }};{{ '0x1f'|sort(case_sensitive=true) }};", "['0', '1', 'f', 'x'];['\303\266', 'W', 'r', 'o', 'l', 'l', 'l', 'H', 'e', 'd', ',', ' '];['x', 'f', '1', '0'];[' ', ',', 'H', 'W', 'd', 'e', 'l', 'l', 'l', 'o', 'r', '\303\266'];['0', '1', 'f', 'x'];"},
	{"{{ s|sort(attribute='name') }};{{ 'abc'|sort(attribute='name') }};{{ s|sort(attribute='v',reverse=true) }};", "['H', 'e', 'l', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'l', 'd'];['a', 'b', 'c'];['H', 'e', 'l', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'l', 'd'];"},
	{"{{ 'abc'|sort(attribute='v',reverse=true) }};{{ s|sort(attribute='name,v') }};{{ 'abc'|sort(attribute='name,v') }};{{ s|string }};{{ ' 7 '|string }};", "['a', 'b', 'c'];['H', 'e', 'l', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'l', 'd'];['a', 'b', 'c'];Hello, W\303\266rld; 7 ;"},
	{"{{ s|striptags }};{{ ' 7 '|striptags }};{{ s|tojson }};{{ '12'|tojson }};{{ s|tojson(indent=2) }};{{ '12'|tojson(indent=2) }};", "Hello, W\303\266rld;7;\"Hello, W\303\266rld\";\"12\";\"Hello, W\303\266rld\";\"12\";"},
	{"{{ s|tojson(sort_keys=true) }};{{ '12'|tojson(sort_keys=true) }};{{ s|tojson(separators=(',',':')) }};{{ '12'|tojson(separators=(',',':')) }};", "\"Hello, W\303\266rld\";\"12\";\"Hello, W\303\266rld\";\"12\";"},
	{"{{ s|tojson(ensure_ascii=true) }};{{ ' 7 '|tojson(ensure_ascii=true) }};{{ s|tojson(indent=0) }};{{ '12'|tojson(indent=0) }};", "\"Hello, W\\u00f6rld\";\" 7 \";\"Hello, W\303\266rld\";\"12\";"},
	{"{{ s|tojson(indent='\t') }};{{ '12'|tojson(indent='\t') }};{{ s|tojson(true) }};{{ ' 7 '|tojson(true) }};{{ s|truncate(5) }};{{ '0x1f'|truncate(5) }};", "\"Hello, W\303\266rld\";\"12\";\"Hello, W\\u00f6rld\";\" 7 \";He...;0x1f;"},
	{"{{ s|truncate(5,true) }};{{ '0x1f'|truncate(5,true) }};{{ s|truncate(7,end='') }};{{ '0x1f'|truncate(7,end='') }};{{ s|truncate(9,false,'..',0) }};", "He...;0x1f;Hello, W\303\266rld;0x1f;Hello,..;"},
	{"{{ '0x1f'|truncate(9,false,'..',0) }};{{ s|truncate }};{{ '0x1f'|truncate }};{{ s|unique|list }};{{ '0x1f'|unique|list }};{{ s|unique(true)|list }};", "0x1f;Hello, W\303\266rld;0x1f;['H', 'e', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'd'];['0', 'x', '1', 'f'];['H', 'e', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'd'];"},
	{"{{ '0x1f'|unique(true)|list }};{{ s|unique(attribute='name')|list }};{{ '3.9'|unique(attribute='name')|list }};{{ s|urlencode }};{{ ' 7 '|urlencode }};", "['0', 'x', '1', 'f'];['H'];['3'];Hello%2C%20W%C3%B6rld;%207%20;"},
	{"{{ s|wordcount }};{{ '12'|wordcount }};{{ s|groupby('v',default=0)|list }};{{ 'abc'|groupby('v',default=0)|list }};{{ s|list|length }};", "2;1;[(0, ['H', 'e', 'l', 'l', 'o', ',', ' ', 'W', '\303\266', 'r', 'l', 'd'])];[(0, ['a', 'b', 'c'])];12;"},
	{"{{ '3.9'|list|length }};{{ s|upper|lower|title }};{{ ' 7 '|upper|lower|title }};{{ s|first|default('none') }};{{ '3.9'|first|default('none') }};", "3;Hello, W\303\266rld; 7 ;H;3;"},
	{"{{ l|map(attribute='name')|list }};{{ 'abc'|map(attribute='name')|list }};{{ e|map('foo')|list }};{{ undefinedvar|map('foo')|list }};", "[Undefined, Undefined, Undefined];[Undefined, Undefined, Undefined];[];[];"},
	{"{{ e|map()|list }};{{ undefinedvar|map()|list }};{{ nested|max(attribute='v') }};{{ l|reject('odd')|list }};{{ l|select('odd')|list }};", "[];[];{'name': 'x', 'v': 3};[2];[3, 1];"},
	{"{{ (1,2)|select('odd')|list }};{{ l|select('>',1)|list }};{{ nested|selectattr('v','gt',1)|list }};{{ e|selectattr()|list }};", "[1];[3, 2];[{'name': 'Y', 'v': 2, 'in': {'k': [3]}}, {'name': 'x', 'v': 3}];[];"},
	{"{{ undefinedvar|selectattr()|list }};{{ e|selectattr('v','foo')|list }};{{ undefinedvar|selectattr('v','foo')|list }};{{ l|sum }};{{ (1,2)|sum }};", "[];[];[];6;3;"},
	{"{{ nested|sum(attribute='v') }};{{ e|sum(start=10) }};{{ range(4)|sum(start=10) }};{{ e|groupby('name')|list }};{{ e|groupby('name') }};{{ t|abs }};", "6;10;16;[];[];1;"},
	{"{{ neg|abs }};{{ t|filesizeformat }};{{ '3.9'|filesizeformat }};{{ t|filesizeformat(true) }};{{ '3.9'|filesizeformat(true) }};{{ t|round }};", "7;1 Byte;3 Bytes;1 Byte;3 Bytes;1;"},
	{"{{ neg|round }};{{ t|round(1) }};{{ neg|round(1) }};{{ t|round(1,'ceil') }};{{ neg|round(1,'ceil') }};{{ t|round(method='floor') }};", "-7;1;-7;1.0;-7.0;1.0;"},
	{"{{ neg|round(method='floor') }};{{ d|dictsort }};{{ d|dictsort(true) }};{{ d|dictsort(by='value') }};{{ d|dictsort(reverse=true) }};{{ d|items|list }};", "-7.0;[('a', 2), ('b', 1), ('C', 3)];[('C', 3), ('a', 2), ('b', 1)];[('b', 1), ('a', 2), ('C', 3)];[('C', 3), ('b', 1), ('a', 2)];[('b', 1), ('a', 2), ('C', 3)];"},
	{"{{ d|xmlattr }};{{ d|xmlattr(false) }};{{ s is defined }};{{ n is defined }};{{ 42 is defined }};{{ undefinedvar is defined }};{{ l is defined }};{{ d is defined }};{{ s is undefined }};{{ n is undefined }};{{ 42 is undefined }};{{ undefinedvar is undefined }};", " b=\"1\" a=\"2\" C=\"3\";b=\"1\" a=\"2\" C=\"3\";True;True;True;False;True;True;False;False;False;True;"},
	{"{{ l is undefined }};{{ d is undefined }};{{ s is none }};{{ n is none }};{{ 42 is none }};{{ undefinedvar is none }};{{ l is none }};{{ d is none }};{{ s is boolean }};{{ n is boolean }};{{ 42 is boolean }};{{ undefinedvar is boolean }};{{ l is boolean }};", "False;False;False;True;False;False;False;False;False;False;False;False;False;"},
	{"{{ d is boolean }};{{ s is true }};{{ n is true }};{{ 42 is true }};{{ undefinedvar is true }};{{ l is true }};{{ d is true }};{{ s is false }};{{ n is false }};{{ 42 is false }};{{ undefinedvar is false }};{{ l is false }};{{ d is false }};{{ s is integer }};", "False;False;False;False;False;False;False;False;False;False;False;False;False;False;"},
	{"{{ n is integer }};{{ 42 is integer }};{{ undefinedvar is integer }};{{ l is integer }};{{ d is integer }};{{ s is float }};{{ n is float }};{{ 42 is float }};{{ undefinedvar is float }};{{ l is float }};{{ d is float }};{{ s is number }};{{ n is number }};", "False;True;False;False;False;False;False;False;False;False;False;False;False;"},
	{"{{ 42 is number }};{{ undefinedvar is number }};{{ l is number }};{{ d is number }};{{ s is string }};{{ n is string }};{{ 42 is string }};{{ undefinedvar is string }};{{ l is string }};{{ d is string }};{{ s is mapping }};{{ n is mapping }};", "True;False;False;False;True;False;False;False;False;False;False;False;"},
	{"{{ 42 is mapping }};{{ undefinedvar is mapping }};{{ l is mapping }};{{ d is mapping }};{{ s is iterable }};{{ n is iterable }};{{ 42 is iterable }};{{ undefinedvar is iterable }};{{ l is iterable }};{{ d is iterable }};{{ s is sequence }};{{ n is sequence }};", "False;False;False;True;True;False;False;True;True;True;True;False;"},
	{"{{ 42 is sequence }};{{ undefinedvar is sequence }};{{ l is sequence }};{{ d is sequence }};{{ s is callable }};{{ n is callable }};{{ 42 is callable }};{{ undefinedvar is callable }};{{ l is callable }};{{ d is callable }};{{ s is lower }};{{ n is lower }};", "False;True;True;True;False;False;False;True;False;False;False;False;"},
	{"{{ 42 is lower }};{{ undefinedvar is lower }};{{ l is lower }};{{ d is lower }};{{ s is upper }};{{ n is upper }};{{ 42 is upper }};{{ undefinedvar is upper }};{{ l is upper }};{{ d is upper }};{{ 42 is odd }};{{ 42 is even }};{{ 42 is divisibleby(3) }};", "False;False;False;False;False;False;False;False;False;False;False;True;True;"},
	{"{{ 42 is divisibleby 2 }};{{ s is sameas(none) }};{{ n is sameas(none) }};{{ 42 is sameas(none) }};{{ undefinedvar is sameas(none) }};{{ l is sameas(none) }};{{ d is sameas(none) }};{{ s is sameas none }};{{ n is sameas none }};{{ 42 is sameas none }};", "True;False;True;False;False;False;False;False;True;False;"},
	{"{{ undefinedvar is sameas none }};{{ l is sameas none }};{{ d is sameas none }};{{ s is in [1,2,42] }};{{ n is in [1,2,42] }};{{ 42 is in [1,2,42] }};{{ undefinedvar is in [1,2,42] }};{{ l is in [1,2,42] }};{{ d is in [1,2,42] }};{{ s is eq(42) }};", "False;False;False;False;False;True;False;False;False;False;"},
	{"{{ n is eq(42) }};{{ 42 is eq(42) }};{{ undefinedvar is eq(42) }};{{ l is eq(42) }};{{ d is eq(42) }};{{ s is equalto 's' }};{{ n is equalto 's' }};{{ 42 is equalto 's' }};{{ undefinedvar is equalto 's' }};{{ l is equalto 's' }};{{ d is equalto 's' }};", "False;True;False;False;False;False;False;False;False;False;False;"},
	{"{{ s is ne 1 }};{{ n is ne 1 }};{{ 42 is ne 1 }};{{ undefinedvar is ne 1 }};{{ l is ne 1 }};{{ d is ne 1 }};{{ 42 is gt 1 }};{{ 42 is ge(42) }};{{ 42 is lt 5 }};{{ 42 is le 5 }};{{ 42 is greaterthan 3 }};{{ 42 is lessthan 3 }};{{ s is escaped }};", "True;True;True;True;True;True;True;True;False;False;True;False;False;"},
	{"{{ n is escaped }};{{ 42 is escaped }};{{ undefinedvar is escaped }};{{ l is escaped }};{{ d is escaped }};{{ s is filter }};{{ n is filter }};{{ 42 is filter }};{{ undefinedvar is filter }};{{ s is test }};{{ n is test }};{{ 42 is test }};", "False;False;False;False;False;False;False;False;False;False;False;False;"},
	{"{{ undefinedvar is test }};{{ s is not defined }};{{ n is not defined }};{{ 42 is not defined }};{{ undefinedvar is not defined }};{{ l is not defined }};{{ d is not defined }};{{ s is not none }};{{ n is not none }};{{ 42 is not none }};", "False;False;False;False;True;False;False;True;False;True;"},
	{"{{ undefinedvar is not none }};{{ l is not none }};{{ d is not none }};{{ s is in('abc') }};", "True;True;True;False;"},
	{"a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc"},
	{"a\n  {% if true %}  \nb\n  {% endif %}  \nc\n\n", "a\n  \nb\n  \nc\n"},
	{"  {%- if true -%}  x  {%- endif -%}  y", "xy"},
	{"{% if true +%}\nx{% endif %}", "\nx"},
	{"  {%+ if true %}x{% endif %}", "  x"},
	{"a {# c #} b", "a  b"},
	{"a\n  {# c #}\nb", "a\nb"},
	{"a\n  {#- c -#}\nb", "ab"},
	{"a {#+ c +#}\nb", "a \nb"},
	{"{{ 1 }}\n{{ 2 }}\n", "1\n2"},
	{"  {{- 1 -}}  x", "1x"},
	{"\n\n{% set x=1 %}\n\nx", "\n\n\nx"},
	{"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
	{"{% raw -%}\n {{ x }} \n{%- endraw %}\nz", "{{ x }}z"},
	{"a\n  {% raw %}\n{{\n  {% endraw %}\nb", "a\n\n{{\nb"},
	{"{%- raw -%} x {%- endraw -%} y", "xy"},
	{"x\r\ny\rz", "x\ny\nz"},
	{"{{ 'a\r\nb' }}", "a\nb"},
	{"\n", ""},
	{"", ""},
	{"\n\n", "\n"},
	{"x\n", "x"},
	{"x\n\n", "x\n"},
	{"{% if true %}\n\n\nx{% endif %}", "\n\nx"},
	{"{%if true%}a{%endif%}", "a"},
	{"{{1}}{{2}};", "12;"},
	{"a{%- set x = 1 %}\n b", "a b"},
	{"a   {%- set x = 1 -%}\n\n b", "ab"},
	{"{{ '{{' }}{{ '}}' }};{{ '%}' }};", "{{}};%};"},
	{"{% set x = '%}' %}{{x}}", "%}"},
	{"{{ {'a':{'b':1}} }};{{{'a':1}}};{{ {'a':{}}['a'] }};", "{'a': {'b': 1}};{'a': 1};{};"},
	{"{#- {{ x }} {% if %} -#}a", "a"},
	{"{# {# #}", ""},
	{"x{#- a -#}  \n y", "xy"},
	{"  {# a #}  b", "  b"},
	{"\t{% set x=1 %}\ny", "y"},
	{"x {% set x=1 %}\ny", "x y"},
	{"\302\240{% set x=1 %}\ny", "y"},
	{"\302\240 {%- set x=1 -%} \342\200\203y", "y"},
	{"{% for x in l %}{{ x }},{% endfor %}", "3,1,2,"},
	{"{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}|{% endfor %}", "1032TrueFalse310|2121FalseFalse310|3210FalseTrue310|"},
	{"{% for x in l %}{{ loop.previtem }}-{{ loop.nextitem }};{% endfor %}", "-1;3-2;1-;"},
	{"{% for x in l %}{{ loop.previtem is defined }}-{{ loop.nextitem is defined }};{% endfor %}", "False-True;True-True;True-False;"},
	{"{% for x in l if x > 1 %}{{ x }}{{ loop.index }}{{ loop.last }}{{ loop.length }}{% endfor %}", "31False222True2"},
	{"{% for x in [] %}a{% else %}b{% endfor %}", "b"},
	{"{% for x in l if x > 5 %}a{% else %}b{% endfor %}", "b"},
	{"{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "b=1;a=2;C=3;"},
	{"{% for k in d %}{{ k }}{% endfor %}", "baC"},
	{"{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}", "a=2;b=1;C=3;"},
	{"{% for (a, b), c in [((1,2),3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"},
	{"{% for a, b in ['xy','zw'] %}{{ a }}{{ b }}{% endfor %}", "xyzw"},
	{"{% for c in 'h\303\251y' %}{{ c }}.{% endfor %}", "h.\303\251.y."},
	{"{% for x in undefinedvar %}a{% else %}e{% endfor %}", "e"},
	{"{% for x in range(5) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}", "02"},
	{"{% for x in [1] %}{% continue %}{% else %}E{% endfor %}", "E"},
	{"{% for x in [1,2] %}{% break %}{% else %}E{% endfor %}", "E"},
	{"{% for x in [1,2] %}{% if x==2 %}{% break %}{% endif %}{% else %}E{% endfor %}", ""},
	{"{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}", "1231;1232;1233;"},
	{"{% for x in l %}{{ loop.cycle('a','b') }}{% endfor %}", "aba"},
	{"{% for x in [1,1,2] %}{{ loop.changed(x) }}{% endfor %}", "TrueFalseTrue"},
	{"{% for x in l %}{{ loop }}{% endfor %}", "<LoopContext 1/3><LoopContext 2/3><LoopContext 3/3>"},
	{"{% for x in l %}{{ loop.foo }}{% endfor %}", ""},
	{"{% for i in [{'n':1,'c':[{'n':2,'c':[{'n':3}]}]},{'n':4}] recursive %}{{ i.n }}d{{ loop.depth }}[{% if i.c %}{{ loop(i.c) }}{% endif %}]{% endfor %}", "1d1[2d2[3d3[]]]4d1[]"},
	{"{% for i in [[1,[2]],3] recursive %}{% if i is iterable %}({{ loop(i) }}){% else %}{{ i }}{% endif %}{% else %}E{% endfor %}", "(1(2))3"},
	{"{% set x=0 %}{% for i in l %}{% set x=i %}{{ x }}{% endfor %}{{ x }}", "3120"},
	{"{% set x=0 %}{% for i in l %}{{ x }}{% set x=i %}{{ x }}{% endfor %}{{ x }}", "0301020"},
	{"{% for x in l %}{% endfor %}{{ x }}", ""},
	{"{% for x in x %}{{ x }}{% endfor %}", ""},
	{"{% for s in s %}{{ s }}{% endfor %}{{ s }}", "Hello, W\303\266rldHello, W\303\266rld"},
	{"{% for item in nested %}{% for s in item.values() %}{{ s }}{% endfor %}{% endfor %}", "x1{'k': [1, 2]}Y2{'k': [3]}x3"},
	{"{% for x in l|map('string') %}{{ x ~ loop.length }}{% endfor %}", "331323"},
	{"{% for x in l|select('odd') %}{{ loop.last }}{{ loop.revindex }}{% endfor %}", "False2True1"},
	{"{% for x in l|reverse %}{{ x }}{{ loop.length }}{% endfor %}", "231333"},
	{"{% set g = l|map('string') %}{{ g|list }}{{ g|list }}", "['3', '1', '2'][]"},
	{"{% set g = l|map('upper') %}{{ g[0] }}", ""},
	{"{% for x in l %}{% if loop.first %}{{ loop.length }}{% endif %}{% else %}{{ loop }}{% endfor %}", "3"},
	{"{% for y in l %}{% for x in range(3) if loop.first %}{{ x }}{% endfor %}{% endfor %}", "012"},
	{"{% for a in [1,2] %}{% for b in [3,4] %}{% if b == 3 %}{% continue %}{% endif %}{{ a }}{{ b }}{% endfor %}{% endfor %}", "1424"},
	{"{% for x in l: %}{{ x }}{% endfor %}", "312"},
	{"{% for x in 1,2,3 %}{{ x }}{% endfor %}", "123"},
	{"{% for x in (l if t else []) %}{{ x }}{% endfor %}", "312"},
	{"{% for x in l %}{{ loop.index }}{% for y in [1] %}{{ loop.parent }}{% endfor %}{% endfor %}", "123"},
	{"{% for m in msgs %}{% set outer = loop %}{% for c in 'ab' %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}", "11 12 21 22 31 32 "},
	{"{% for x in [3,2]|sort %}{{ x }}{% endfor %}", "23"},
	{"{% for x in d.keys()|list + [1] %}{{ x }}{% endfor %}", "baC1"},
	{"{% for x in l[1:] %}{{ x }}{{ loop.previtem|default('-') }}{% endfor %}", "1-21"},
	{"{% if 0 %}a{% elif '' %}b{% elif [0] %}c{% else %}d{% endif %}", "c"},
	{"{% if x %}a{% endif %}b", "b"},
	{"{% if x is defined and x.y %}a{% else %}b{% endif %}", "b"},
	{"{% if true: %}a{% endif %}", "a"},
	{"{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12"},
	{"{% set a = 1, 2 %}{{ a }}", "(1, 2)"},
	{"{% set (a, b) = [1,2] %}{{ a+b }}", "3"},
	{"{% set x %}hi {{ i }}{% endset %}[{{ x }}]", "[hi 42]"},
	{"{% set x | upper %}hi{% endset %}{{ x }}", "HI"},
	{"{% set x | replace('h','j') | upper %}hi{% endset %}{{ x }}", "JI"},
	{"{% set x %}{% set y = 1 %}{% endset %}{{ y }}", ""},
	{"{% set ns = namespace(a=1) %}{% for x in l %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}{{ ns }}", "7<Namespace {'a': 7}>"},
	{"{% set ns = namespace() %}{% set ns.x = 'a' %}{{ ns.x }}{{ ns.y }}{{ ns['x'] }}", "aa"},
	{"{% set ns = namespace() %}{% set ns.x %}blk{% endset %}{{ ns.x }}", "blk"},
	{"{% set ns = namespace() %}{% set ns._p = 1 %}{{ ns._p }}", ""},
	{"{% set ns = namespace(a=[]) %}{% set ns.a = ns.a + [1] %}{{ ns.a }}", "[1]"},
	{"{% set x = 1 if false %}{{ x is defined }}", "False"},
	{"{% if t %}{% set z = 1 %}{% endif %}{{ z }}", "1"},
	{"{% if f %}{% set s = 1 %}{% endif %}{{ s }}", "Hello, W\303\266rld"},
	{"{% if f %}{% set z = 1 %}{% else %}{% set z = 2 %}{% endif %}{{ z }}", "2"},
	{"{% set s = s ~ '!' %}{{ s }}", "Hello, W\303\266rld!"},
	{"{{ z }}{% set z = 1 %}{{ z }}", "1"},
	{"{{ s }}{% set s = 1 %}{{ s }}", "Hello, W\303\266rld1"},
	{"{% set x = {'a': 1} %}{% set x = dict(x, b=2) %}{{ x }}", "{'a': 1, 'b': 2}"},
	{"{% set a = [1] %}{% set b = a %}{{ a is sameas b }}", "True"},
	{"{% set x = namespace %}{{ x(a=1).a }}", "1"},
	{"{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}|{{ m(1, 3) }}|{{ m(1, c=5) }}|{{ m(b=1) }}", "12x|13x|125|1x"},
	{"{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1,2,x=3) }}", "(1, 2){'x': 3}"},
	{"{% macro m(a) %}[{{ a }}]{{ a is defined }}{% endmacro %}{{ m() }}", "[]False"},
	{"{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}body{% endcall %}", "body"},
	{"{% macro m() %}{{ caller(1,2) }}{% endmacro %}{% call(a,b) m() %}{{ a }}-{{ b }}{% endcall %}", "1-2"},
	{"{% macro m(x) %}{% if x %}{{ x }}{{ m(x-1) }}{% endif %}{% endmacro %}{{ m(3) }}", "321"},
	{"{% macro m() %}{{ s }}{{ z }}{% endmacro %}{% set z = 5 %}{{ m() }}", "Hello, W\303\266rld5"},
	{"{% macro m() %}{{ z }}{% endmacro %}{{ m() }}{% set z = 5 %}{{ m() }}", "5"},
	{"{% macro m() %}{{ s }}{% endmacro %}{{ m() }}{% set s = 5 %}{{ m() }}", "5"},
	{"{% macro m() %}{% set s = 5 %}{{ s }}{% endmacro %}{{ m() }}{{ s }}", "5Hello, W\303\266rld"},
	{"{% macro m(l) %}{% for x in l %}{{ x }}{% endfor %}{% endmacro %}{{ m([1,2])|length }}{{ m([1]) ~ 'a' }}", "21a"},
	{"{{ m }}{% macro m() %}{% endmacro %}{{ m }}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.caller }}", "<Macro 'm'>m()FalseFalse"},
	{"{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "B"},
	{"{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(3) }}", "3"},
	{"{% macro m(a=b, b=1) %}{{ a }}{% endmacro %}{{ m() }}", ""},
	{"{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "312"},
	{"{% if t %}{% macro m() %}y{% endmacro %}{% endif %}{{ m() }}", "y"},
	{"{% macro m(caller=none) %}{{ caller() }}{% endmacro %}{% call m() %}z{% endcall %}", "z"},
	{"{% macro m() %}  x  {% endmacro %}[{{ m() }}][{{ m()|trim }}]", "[  x  ][x]"},
	{"{% macro m(x) -%}\n {{ x }}\n{%- endmacro %}[{{ m(1) }}]", "[1]"},
	{"{% macro m(a,b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1,2]) }}{{ m(1, **{'b':5}) }}{{ m(*[1], **{'b':3}) }}", "121513"},
	{"{% macro m(kwargs) %}{{ kwargs }}{% endmacro %}{{ m(1) }}", "1"},
	{"{% macro m() %}{% for k, v in kwargs.items() %}{{ k }}{{ v }}{% endfor %}{% endmacro %}{{ m(z=1,a=2) }}", "z1a2"},
	{"{% set f = s.upper %}{{ f() }}", "HELLO, W\303\226RLD"},
	{"{% macro m() %}{% macro n() %}in{% endmacro %}{{ n() }}{% endmacro %}{{ m() }}{{ n is defined }}", "inTrue"},
	{"{{ [1,2]|map('string')|join }}{% macro m(x) %}{{x}}{% endmacro %}{{ m|string }}", "12<Macro 'm'>"},
	{"{% set x = 1 %}{% macro m(x) %}{{ x }}{% endmacro %}{{ m(2) }}{{ x }}", "21"},
	{"{% with %}{% macro w() %}W{% endmacro %}{{ w() }}{% endwith %}{{ w is defined }}", "WFalse"},
	{"{% macro m(a) %}{% set a = a + 1 %}{{ a }}{% endmacro %}{{ m(1) }}", "2"},
	{"{% with a=1, b=2 %}{{ a }}{{ b }}{% endwith %}{{ a }}", "12"},
	{"{% with a=1, b=a %}{{ b }}{% endwith %}", ""},
	{"{% set a=5 %}{% with a=1, b=a %}{{ b }}{% endwith %}", "5"},
	{"{% with %}{% set x=1 %}{{ x }}{% endwith %}{{ x }}", "1"},
	{"{% with (a,b)=(1,2) %}{{ a }}{% endwith %}", "1"},
	{"{% with a,b=(1,2) %}{{ a }}{% endwith %}", "1"},
	{"{% filter upper %}a{{ s }}{% endfilter %}", "AHELLO, W\303\226RLD"},
	{"{% filter replace('a','b')|upper %}aaa{% endfilter %}", "BBB"},
	{"{% filter indent(2, true) %}a\nb{% endfilter %}", "  a\n  b"},
	{"{% for x in l %}{% filter upper %}a{% break %}{% endfilter %}{% endfor %}z", "z"},
	{"{% block a %}A{{ s }}{% endblock %}", "AHello, W\303\266rld"},
	{"{% block a %}A{% endblock a %}{{ self.a() }}", "AA"},
	{"{% set q=1 %}{% block a %}{{ q }}{% endblock %}", "1"},
	{"{% for x in l %}{% block a %}{{ x }}{% endblock %}{% endfor %}", ""},
	{"x", "x"},
	{"{% generation %}a{{ s }}{% endgeneration %}", "aHello, W\303\266rld"},
	{"{% generation %}{% set gg = 1 %}{% endgeneration %}{{ gg }}", ""},
	{"{% for x in l %}{% generation %}{{ loop.index }}{{ x }}{% endgeneration %}{% endfor %}", "132132"},
	{"  {% generation %}\n  a\n  {% endgeneration %}\nb", "  a\nb"},
	{"{% autoescape true %}{{ html }}{% endautoescape %}{{ html }}", "&lt;a href=&#34;x&#34;&gt;T&amp;amp;m &#39;q&#39;&lt;/a&gt;<a href=\"x\">T&amp;m 'q'</a>"},
	{"{% autoescape true %}{{ html|safe }}{{ '<' ~ '>' }}{% endautoescape %}", "<a href=\"x\">T&amp;m 'q'</a>&lt;&gt;"},
	{"{% print 1, 2 %}", "12"},
	{"{% print(s) %}", "Hello, W\303\266rld"},
	{"{{ strftime_now('%Y-%m-%d %d %b %Y %A %B %j %H:%M:%S %p %f %% %-d %y') }};{{ strftime_now('x') }};{{ strftime_now('%d/%m, %e') }};", "2024-07-26 26 Jul 2024 Friday July 208 00:00:00 AM 000000 % 26 24;x;26/07, 26;"},
	{"{{ ('<'|e) + '<' }};{{ '<' + ('<'|safe) }};{{ ('<b>%s'|safe) % '<' }};{{ ('a'|safe) * 2 }};{{ ('<a>'|safe).upper() }};{{ ('<a>'|safe)|upper ~ '<' }};", "&lt;&lt;;&lt;<;<b>&lt;;aa;<A>;<A><;"},
	{"{{ ('a,b'|safe).split(',') }};{{ ['<'|e] }};{{ ('{}'|safe).format('<') }};{{ ('-'|safe).join(['<','>']) }};{{ ('a'|safe).replace('a','<') }};", "[Markup('a'), Markup('b')];[Markup('&lt;')];&lt;;&lt;-&gt;;&lt;;"},
	{"{{ ('a'|safe)|replace('a','<') + '<' }};{{ ('<'|safe)[0] + '<' }};{{ ('x'|safe) is string }};{{ ('x'|safe) == 'x' }};{{ {'x'|safe: 1}['x'] }};", "<<;<&lt;;True;True;1;"},
	{"{{ ('<'|e)|tojson }};{{ ('<'|e)|length }};{{ ('<'|e)|string + '<' }};{{ (s|tojson|safe) + '<' }};{{ ('a' ~ ('<'|safe)) + '<' }};", "\"&lt;\";4;&lt;&lt;;\"Hello, W\303\266rld\"&lt;;a<<;"},
	{"{{ '%s<' % ('<'|safe) }};", "<<;"},
	{"{{ 'a' in ('abc'|safe) }};{{ ('a\\nb'|safe)|indent + '<'}};{{ ('x'|e).foo }};{{ [('a'|safe), 'b']|join('<') }};{{ [1]|join('<'|safe) + '<' }};", "True;a\n    b&lt;;;a<b;1<;"},
	{"{{ 1.2.3 }};", ";"},
	{"{{ _ }};{{ \303\251 }};{{ \345\244\211\346\225\260 }};{{ a\314\201b }};", ";;;;"},
	{"{{ x|nofilter if x is defined else 1 }};", "1;"},
	{"{% if x is defined %}{{ x|nofilter }}{% endif %}", ""},
	{"{{ '\\U0001F600' }};", "\360\237\230\200;"},
	{"{ { a } }", "{ { a } }"},
	{"{{ a }}};", "};"},
	{"{% for m in msgs %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content | trim }}{% elif m.content is iterable %}{% for c in m.content %}{{ c.text if c is mapping else c }}{% endfor %}{% else %}{{ m['content'] }}{% endif %}{% if not loop.last %}\n{% endif %}{% endfor %}", "<|user|>hi <b><|assistant|>None<|tool|>az"},
	{"{{ msgs|map(attribute='role')|join(', ') }};{{ msgs|selectattr('role','==','user')|list|length }};", "user, assistant, tool;1;"},
	{"{{ (msgs|last).role }}{{ msgs[-1].role }}{{ msgs[-1:][0].role }};", "tooltooltool;"},
	{"{% set sys = msgs[0].content if msgs[0].role == 'system' else '' %}[{{ sys }}]", "[]"},
	{"{{ msgs|tojson }};{{ msgs|tojson(indent=4) }};{{ msgs[0].content.split('<')[0].strip() }};{{ (i / 2)|int }}{{ (i / 5)|round(2) }}{{ 7 // 2 * 2 }};", "[{\"role\": \"user\", \"content\": \"hi <b>\"}, {\"role\": \"assistant\", \"content\": null}, {\"role\": \"tool\", \"content\": [\"a\", {\"type\": \"text\", \"text\": \"z\"}]}];[\n    {\n        \"role\": \"user\",\n        \"content\": \"hi <b>\"\n    },\n    {\n        \"role\": \"assistant\",\n        \"content\": null\n    },\n    {\n        \"role\": \"tool\",\n        \"content\": [\n            \"a\",\n            {\n                \"type\": \"text\",\n                \"text\": \"z\"\n            }\n        ]\n    }\n];hi;218.46;"},
	{"{% if msgs[0]['role'] not in ['system','tool'] and msgs|length >= 2 %}y{% endif %}", "y"},
	{"{{ '%.2f'|format(fl) }}{{ '%03d' % i }};{{ nested|groupby('name')|map('first')|list }};", "3.25042;['x', 'Y'];"},
	{"{% for g in nested|groupby('name') %}{{ g.grouper }}:{{ g.list|length }}{{ g[0] }}{% endfor %}", "x:2xY:1Y"},
	{"{% for name, items in nested|groupby('name') %}{{ name }}{{ items|map(attribute='v')|list }}{% endfor %}", "x[1, 3]Y[2]"},
	{"{% set c = cycler('a','b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}", "abaNonea"},
	{"{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "3, 1, 2"},
	{"{{ d|items|list }}{{ d|dictsort(by='value')|first }};{{ [d, {'x': [1, {'y': none}]}]|tojson }};{{ 'a' 'b' ~ 'c' }};{{ l|sum / l|length }};", "[('b', 1), ('a', 2), ('C', 3)]('b', 1);[{\"b\": 1, \"a\": 2, \"C\": 3}, {\"x\": [1, {\"y\": null}]}];abc;2.0;"},
	{"{{ l | map('int') | map('string') | join('-') | upper }};{{ {'a': {'b': [1, 2, {'c': 'd'}]}}['a'].b[2]['c'] }};{{ (l + [4])[::-1][:2]|string }};", "3-1-2;d;[4, 2];"},
	{"{{ 'x' if l and d else 'y' }};{{ l|first + l|last * 2 }};{{ not l == [3,1,2] }};{{ not not l }};{{ -2 ** 2 }}{{ 2 ** -1 }}{{ 2 ** 3 ** 2 }};", "x;7;False;True;40.564;"},
	{"{{ 'a' ~ 'b' * 2 }};", "abb;"},
	{"{{ -1|abs }};{{ (-1)|abs }};{{ 'a'|upper ~ 'b'|upper }};{{ 1 in [1] == true }};{{ (1 in [1]) == true }};{{ 1 == 1 is true }};{{ not 1 in [2] }};", "1;1;AB;False;True;False;True;"},
	{"{{ 5 if 1 > 2 else 6 if 2 > 3 else 7 }};{{ a.b if a is defined else 'no' }};{{ d.get('zz', {}).get('y', 'dflt') }};{{ 'abc'[1:]|upper }};", "7;no;dflt;BC;"},
	{"{{ 'a\\tb\\\\n' }};{{ s[1:-1:2] ~ s[::-3] }};{{ uni[2:5]|length }}{{ uni|length }}{{ uni|upper }}{{ uni|lower }}{{ uni|capitalize }};", "a\tb\\n;el,Wrd\303\266,l;324\346\227\245\346\234\254\350\252\236\343\203\206\343\202\255\343\202\271\343\203\210\360\237\230\200 \304\260STANBUL SS FI \316\221\316\243\346\227\245\346\234\254\350\252\236\343\203\206\343\202\255\343\202\271\343\203\210\360\237\230\200 i\314\207stanbul \303\237 \357\254\201 \316\261\317\202\346\227\245\346\234\254\350\252\236\343\203\206\343\202\255\343\202\271\343\203\210\360\237\230\200 i\314\207stanbul \303\237 \357\254\201 \316\261\317\202;"},
};

static const char *const fails[][2] = {
	{"{{ 1/0 }}", "ZeroDivisionError: division by zero"},
	{"{{ 1//0 }}", "ZeroDivisionError: integer division or modulo by zero"},
	{"{{ 1%0 }}", "ZeroDivisionError: integer modulo by zero"},
	{"{{ 1.0/0 }}", "ZeroDivisionError: float division by zero"},
	{"{{ 1.0//0 }}", "ZeroDivisionError: float floor division by zero"},
	{"{{ 1.0%0 }}", "ZeroDivisionError: float modulo"},
	{"{{ 0**-1 }}", "ZeroDivisionError: 0.0 cannot be raised to a negative power"},
	{"{{ -'a' }}", "TypeError: bad operand type for unary -: 'str'"},
	{"{{ 1 in 'abc' }}", "TypeError: 'in <string>' requires string as left operand, not int"},
	{"{{ 1 in 5 }}", "TypeError: argument of type 'int' is not iterable"},
	{"{{ 'a' + 1 }}", "TypeError: can only concatenate str (not \"int\") to str"},
	{"{{ 1 + 'a' }}", "TypeError: unsupported operand type(s) for +: 'int' and 'str'"},
	{"{{ 'a'*'b' }}", "TypeError: can't multiply sequence by non-int of type 'str'"},
	{"{{ '%d' % 'x' }}", "TypeError: %d format: a real number is required, not str"},
	{"{{ '%s %s' % ('a',) }}", "TypeError: not enough arguments for format string"},
	{"{{ '%s' % ('a','b') }}", "TypeError: not all arguments converted during string formatting"},
	{"{{ '%q' % 1 }}", "ValueError: unsupported format character 'q' (0x71) at index 1"},
	{"{{ '%' % 1 }}", "ValueError: incomplete format"},
	{"{{ '%(x)d' % {'y':1} }}", "KeyError: 'x'"},
	{"{{ l[::0] }}", "ValueError: slice step cannot be zero"},
	{"{{ l['a':] }}", "TypeError: slice indices must be integers or None or have an __index__ method"},
	{"{{ d.zz.y }}", "UndefinedError: 'dict object' has no attribute 'zz'"},
	{"{{ undefinedvar.x }}", "UndefinedError: 'undefinedvar' is undefined"},
	{"{{ range(1,2,3,4) }}", "TypeError: range expected at most 3 arguments, got 4"},
	{"{{ range('a') }}", "TypeError: 'str' object cannot be interpreted as an integer"},
	{"{{ range(1,5,0) }}", "ValueError: range() arg 3 must not be zero"},
	{"{{ range(1000000) }}", "OverflowError: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)."},
	{"{{ none < 1 }}", "TypeError: '<' not supported between instances of 'NoneType' and 'int'"},
	{"{{ d.get() }}", "TypeError: get expected at least 1 argument, got 0"},
	{"{{ d.update({}) }}", "SecurityError: access to attribute 'update' of 'dict' object is unsafe."},
	{"{{ l.index(99) }}", "ValueError: 99 is not in list"},
	{"{{ (1,2).index(5) }}", "ValueError: tuple.index(x): x not in tuple"},
	{"{{ dict([1]) }}", "TypeError: cannot convert dictionary update sequence element #0 to a sequence"},
	{"{{ dict('ab') }}", "ValueError: dictionary update sequence element #0 has length 1; 2 is required"},
	{"{{ cycler() }}", "RuntimeError: at least one item has to be provided"},
	{"{{ s.strip(1) }}", "TypeError: strip arg must be None or str"},
	{"{{ s.split('') }}", "ValueError: empty separator"},
	{"{{ s.startswith(1) }}", "TypeError: startswith first arg must be str or a tuple of str, not int"},
	{"{{ s.replace(1,2) }}", "TypeError: replace() argument 1 must be str, not int"},
	{"{{ s.replace('a') }}", "TypeError: replace expected at least 2 arguments, got 1"},
	{"{{ s.index('zz') }}", "ValueError: substring not found"},
	{"{{ s.join([1]) }}", "TypeError: sequence item 0: expected str instance, int found"},
	{"{{ s.join(5) }}", "TypeError: can only join an iterable"},
	{"{{ s.ljust(20,'ab') }}", "TypeError: The fill character must be exactly one character long"},
	{"{{ s.strip(chars='a') }}", "TypeError: str.strip() takes no keyword arguments"},
	{"{{ s.upper(1) }}", "TypeError: str.upper() takes no arguments (1 given)"},
	{"{{ s.split(1) }}", "TypeError: must be str or None, not int"},
	{"{{ '{'.format() }}", "ValueError: Single '{' encountered in format string"},
	{"{{ '{}'.format() }}", "IndexError: tuple index out of range"},
	{"{{ '{:d}'.format('a') }}", "ValueError: Unknown format code 'd' for object of type 'str'"},
	{"{{ '{:>10}'.format(none) }}", "TypeError: unsupported format string passed to NoneType.__format__"},
	{"{{ '{} {0}'.format(1) }}", "ValueError: cannot switch from manual field specification to automatic field numbering"},
	{"{{ '{!x}'.format(1) }}", "ValueError: Unknown conversion specifier x"},
	{"{{ '%s'|format('a',b=1) }}", "FilterArgumentError: can't handle positional and keyword arguments at the same time"},
	{"{% for a, b in [1] %}x{% endfor %}", "TypeError: cannot unpack non-iterable int object"},
	{"{% for a, b in [[1,2,3]] %}x{% endfor %}", "ValueError: too many values to unpack (expected 2)"},
	{"{% for a, b in [[1]] %}x{% endfor %}", "ValueError: not enough values to unpack (expected 2, got 1)"},
	{"{% for x in none %}{% endfor %}", "TypeError: 'NoneType' object is not iterable"},
	{"{% for x in l %}{{ loop.cycle() }}{% endfor %}", "TypeError: no items for cycling given"},
	{"{% for x in [1] %}{{ loop([1]) }}{% endfor %}", "TypeError: The loop must have the 'recursive' marker to be called recursively."},
	{"{% set g = l|select('odd') %}{{ g is iterable }}{{ g is sequence }}{{ g|length }}", "TypeError: object of type 'generator' has no len()"},
	{"{% for loop in l %}{% endfor %}", "line 1: TemplateAssertionError: Can't assign to special loop variable in for-loop target"},
	{"{% for x, in [[1],[2]] %}{{ x }}{% endfor %}", "line 1: TemplateSyntaxError: expected token 'in', got '['"},
	{"{% for 1 in l %}{% endfor %}", "line 1: TemplateSyntaxError: can't assign to 'const'"},
	{"{% set d.x = 1 %}", "TemplateRuntimeError: cannot assign attribute on non-namespace object"},
	{"{% set x = %}", "line 1: TemplateSyntaxError: Expected an expression, got 'end of statement block'"},
	{"{% set x %}", "line 1: TemplateSyntaxError: Unexpected end of template. Jinja was looking for the following tags: 'endset'. The innermost block that needs to be closed is 'set'."},
	{"{% do l.append(4) %}", "line 1: TemplateSyntaxError: Encountered unknown tag 'do'."},
	{"{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1,2) }}", "TypeError: macro 'm' takes not more than 1 argument(s)"},
	{"{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}", "TypeError: macro 'm' takes no keyword argument 'b'"},
	{"{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m() }}", "UndefinedError: parameter 'a' was not provided"},
	{"{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "UndefinedError: No caller defined"},
	{"{% macro m() %}x{% endmacro %}{% call m() %}b{% endcall %}", "TypeError: macro 'm' was invoked with two values for the special caller argument. This is most likely a bug."},
	{"{% macro m(caller) %}{{ caller }}{% endmacro %}{{ m(1) }}", "line 1: TemplateAssertionError: When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default."},
	{"{% macro m(a=1, b) %}{% endmacro %}", "line 1: TemplateSyntaxError: non-default argument follows default argument"},
	{"{% call foo %}x{% endcall %}", "line 1: TemplateSyntaxError: expected call"},
	{"{% filter foo %}a{% endfilter %}", "line 1: TemplateAssertionError: No filter named 'foo'."},
	{"{% block a %}{% endblock %}{% block a %}{% endblock %}", "line 1: TemplateAssertionError: block 'a' defined twice"},
	{"{% block a-b %}{% endblock %}", "line 1: TemplateSyntaxError: Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead."},
	{"{% include 'x' %}", "TypeError: no loader for this environment specified"},
	{"{{ raise_exception('Boo: ' ~ i) }}", "TemplateError: Boo: 42"},
	{"{{ raise_exception() }}", "TypeError: raise_exception() missing 1 required positional argument: 'message'"},
	{"{{ raise_exception(5) }}", "TemplateError: 5"},
	{"{{ 1 + }}", "line 1: TemplateSyntaxError: unexpected 'end of print statement'"},
	{"{{ (1 }}", "line 1: TemplateSyntaxError: unexpected '}', expected ')'"},
	{"{{ a. }}", "line 1: TemplateSyntaxError: expected name or number"},
	{"{{ a is foo }}", "line 1: TemplateAssertionError: No test named 'foo'."},
	{"{{ a is b is c }}", "line 1: TemplateSyntaxError: You cannot chain multiple tests with is"},
	{"{{ 'abc }}", "line 1: TemplateSyntaxError: unexpected char \"'\" at 3"},
	{"{{ \"abc }}", "line 1: TemplateSyntaxError: unexpected char '\"' at 3"},
	{"{{ a", "line 1: TemplateSyntaxError: unexpected end of template, expected 'end of print statement'."},
	{"{# x", "line 1: TemplateSyntaxError: Missing end of comment tag"},
	{"{{ f(a=1, 2) }}", "line 1: TemplateSyntaxError: invalid syntax for function call expression"},
	{"{% if true %}\n{{ a | nofilter }}\n{% endif %}", "TemplateRuntimeError: No filter named 'nofilter' found."},
	{"{{ 1 | map('upper') | list }}", "TypeError: 'int' object is not iterable"},
	{"{% continue %}{% endfor %}", "line 1: TemplateSyntaxError: Encountered unknown tag 'endfor'."},
	{"{% if false %}{% set a | foo %}{% endset %}{% endif %}", "line 1: TemplateAssertionError: No filter named 'foo'."},
	{"{% if false %}{% for x in [] if x | foo %}{% endfor %}{% endif %}", "line 1: TemplateAssertionError: No filter named 'foo'."},
	{"{% if false %}{% macro m(x=1 | foo) %}{% endmacro %}{% endif %}", "line 1: TemplateAssertionError: No filter named 'foo'."},
	{"{% if s is defined %}{{ s is notest }}{% endif %}", "TemplateRuntimeError: No test named 'notest' found."},
	{"{{ '\\u12' }}", "line 1: TemplateSyntaxError: truncated \\uXXXX escape"},
	{"{{ '\\x1' }}", "line 1: TemplateSyntaxError: truncated \\xXX escape"},
	{"{%%}", "line 1: TemplateSyntaxError: tag name expected"},
	{"{{ 5 is divisibleby }}", "TypeError: test_divisibleby() missing 1 required positional argument: 'num'"},
};

static int check_all(const char *const (*cases)[2], size_t n)
{
	struct json *v = templates_parse(vars);
	struct buf out = BUF_INIT;
	int wrong = 0;

	for (size_t i = 0; i < n; i++) {
		buf_clear(&out);
		templates_render(cases[i][0], strlen(cases[i][0]), v, &out);
		if (!strcmp(out.data, cases[i][1]))
			continue;
		print_error("%s\n  want %s\n  got  %s\n", cases[i][0], cases[i][1], out.data);
		wrong++;
	}
	buf_release(&out);
	json_free(v);
	return wrong;
}

static void renders_as_jinja2(void **state)
{
	(void)state;
	assert_int_equal(check_all(renders, COUNT(renders)), 0);
}

static void fails_as_jinja2(void **state)
{
	(void)state;
	assert_int_equal(check_all(fails, COUNT(fails)), 0);
}

static void names_the_line(void **state)
{
	static const char *const cases[][2] = {
		{"a\n{% if x %}\n{{ x y }}",
			"line 3: TemplateSyntaxError: expected token 'end of print statement', got 'y'"},
		{"a\n\n{{ x }}\n{{ x.y }}\nb", "line 4: UndefinedError: 'x' is undefined"},
		{"{% macro m(v) %}\n{{ v.a.b }}{% endmacro %}\n\n{{ m({}) }}",
			"line 2: UndefinedError: 'dict object' has no attribute 'a'"},
		{"{{ raise_exception('no\\nroles') }}", "line 1: TemplateError: no\nroles"},
	};
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	struct jinja *t;

	(void)state;
	buf_add_str(&out, "before");
	for (size_t i = 0; i < COUNT(cases); i++) {
		t = jinja_parse(cases[i][0], strlen(cases[i][0]), &err);
		if (t)
			assert_int_equal(jinja_render(t, NULL, NULL, &out, &err), -1);
		assert_int_equal(err.code, ERR_FAILED);
		assert_string_equal(err.text, cases[i][1]);
		assert_string_equal(out.data, "before");
		jinja_free(t);
	}
	assert_null(jinja_parse("a\xff", 2, &err));
	buf_release(&out);
}

static void meets_limits(void **state)
{
#define DEEPER "{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}"
	static const struct {
		const char *source;
		struct jinja_limits limits;
	} cases[] = {
		{"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", {.steps = 100000}},
		{"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", {.steps = 0}},
		{"{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}", {.steps = 0}},
		{DEEPER "{{ ns.x }}", {.steps = 0}},
		{DEEPER "{{ ns.x|tojson }}", {.steps = 0}},
		{DEEPER "{% set a = ns.x %}" DEEPER "{{ a == ns.x }}", {.steps = 0}},
		{DEEPER "{% set a = ns.x %}" DEEPER "{{ a < ns.x }}", {.steps = 0}},
		{"{% set ns = namespace(x=(1,)) %}{% for i in range(9999) %}{% set ns.x = (ns.x,) %}{% endfor %}"
		 "{{ {ns.x: 1} }}", {.steps = 0}},
		{"{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = ns.x|map('int') %}{% endfor %}"
		 "{{ ns.x|list }}", {.steps = 0}},
		{"{{ 'a' * 100000 }}", {.output = 99999}},
		{"{% for i in range(1000) %}{{ 'a' * 100 }}{% endfor %}", {.output = 99999}},
		{"{% set x %}{% for i in range(1000) %}{{ 'a' * 100 }}{% endfor %}{% endset %}", {.output = 99999}},
		{"{{ 'a' * 9223372036854775807 }}", {.steps = 0}},
		{"{{ ([0] * 9223372036854775807)|length }}", {.steps = 0}},
		{"{{ '%999999999d' % 1 }}{{ '%999999999d' % 1 }}{{ '%999999999d' % 1 }}", {.steps = 0}},
		{"{{ 'a'.center(9223372036854775807) }}", {.steps = 0}},
		{"{{ 'a\nb'|indent(9999999999999) }}", {.steps = 0}},
		{"{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
			{.memory = 1 << 20}},
	};
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	struct jinja *t;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct jinja_options o = {.limits = cases[i].limits};

		t = jinja_parse(cases[i].source, strlen(cases[i].source), &err);
		assert_non_null(t);
		err.code = 0;
		if (jinja_render(t, NULL, &o, &out, &err) == 0 || err.code != ERR_LIMIT)
			fail_msg("%s: no limit met: %s", cases[i].source, err.text);
		assert_int_equal(out.len, 0);
		jinja_free(t);
	}
	buf_release(&out);
}

/* Much of one thing: it must neither overflow the stack nor take for ever. */
static void refuses_deep_sources(void **state)
{
	static const char *const pieces[][2] = {{"{{ ", "("}, {"{{ ", "["}, {"{{ ", "not "}, {"{{ ", "-"},
		{"{{ 1", "+1"}, {"{{ a", ".a"}, {"{{ a", "|list"}, {"{{ a", " if a else a"}, {"{{ a", "[0]"},
		{"{{ a", "()"}, {"{{ ", "{1:"}, {"{{ a", " is in a"}, {"", "{% if a %}"}, {"{{ a", "[a"},
		{"", "{% for a in a %}"}, {"{% set ", "("}, {"{% if a %}", "{% elif a %}"}, {"{{ 1", " < 1"},
		{"{{ 1", " ~ 1"}, {"{{ ''", " ''"}, {"", "{{ a }}{% if a %}{% set b = a %}{% endif %}"}};
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		buf_clear(&text);
		buf_add_str(&text, pieces[i][0]);
		for (int k = 0; k < 5000; k++)
			buf_add_str(&text, pieces[i][1]);
		buf_add_str(&text, "{{");
		assert_int_equal(buf_check(&text, &err), 0);
		assert_null(jinja_parse(text.data, text.len, &err));
	}
	buf_release(&text);
}

static void put_span(void *context, size_t from, size_t to)
{
	buf_add_fmt(context, "%zu-%zu ", from, to);
}

static void tells_generations(void **state)
{
	static const char source[] =
		"é{% for m in ms %}\n[{% generation %}{{ m }}{% endgeneration %}]\n{% endfor %}"
		"{% macro g(x) %}<{% generation %}{{ x }}{% endgeneration %}>{% endmacro %}{{ g('abc') }}";
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT, spans = BUF_INIT;
	struct jinja_options o = {.generation = put_span, .context = &spans};
	struct jinja *t = jinja_parse(source, strlen(source), &err);
	struct json *v = templates_parse("{\"ms\": [\"x\", \"\", \"yz\"]}");

	(void)state;
	buf_add_str(&out, "0123");
	assert_int_equal(jinja_render(t, v, &o, &out, &err), 0);
	assert_string_equal(out.data, "0123é[x]\n[]\n[yz]\n<abc>");
	assert_string_equal(spans.data, "3-4 7-7 10-12 15-18 ");
	jinja_free(t);
	json_free(v);
	buf_release(&out);
	buf_release(&spans);
}

static void joins_arrays(void **state)
{
	static const char source[] = "{{ l | length }}{% for x in l %} {{ x.a }}{% endfor %} {{ m }}",
			  object[] = "{\"l\":[7],\"m\":[8],\"parts\":[[{\"a\":1},{\"a\":\"b\"}],[],[{\"a\":[3]}],4]}";
	struct err err = ERR_INIT;
	struct jinja *t = jinja_parse(source, sizeof source - 1, &err);
	struct json *v = templates_parse(object);
	const struct json *arrays[4], *part = json_first(json_get(v, "parts"));
	struct jinja_options o = {.list = "l", .arrays = arrays, .narrays = 4};
	struct buf out = BUF_INIT;

	(void)state;
	for (int i = 0; i < 4; i++, part = json_next(part))
		arrays[i] = part;
	assert_int_equal(jinja_render(t, v, &o, &out, &err), 0);
	assert_string_equal(out.data, "3 1 b [3] [8]");
	buf_clear(&out);
	o.list = "unknown";
	assert_int_equal(jinja_render(t, v, &o, &out, &err), 0);
	assert_string_equal(out.data, "1  [8]");
	buf_release(&out);
	json_free(v);
	jinja_free(t);
}

static void *render_often(void *t)
{
	struct err err = ERR_INIT;
	struct json *v = templates_parse(vars);
	struct buf out = BUF_INIT;
	int same = 0;

	for (int i = 0; i < 200; i++) {
		buf_clear(&out);
		same += jinja_render(t, v, NULL, &out, &err) == 0 && !strcmp(out.data, "ÄÖ1ÄÖ2ÄÖ3");
	}
	json_free(v);
	buf_release(&out);
	return same == 200 ? t : NULL;
}

static void renders_in_threads(void **state)
{
	static const char source[] = "{% for x in l|sort|map('int')|unique %}{{ 'äöü'[:2]|upper ~ x }}{% endfor %}";
	struct err err = ERR_INIT;
	struct jinja *t = jinja_parse(source, strlen(source), &err);
	pthread_t threads[4];
	void *same;

	(void)state;
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, render_often, t), 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &same), 0);
		assert_ptr_equal(same, t);
	}
	jinja_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renders_as_jinja2),
		cmocka_unit_test(fails_as_jinja2),
		cmocka_unit_test(names_the_line),
		cmocka_unit_test(meets_limits),
		cmocka_unit_test(refuses_deep_sources),
		cmocka_unit_test(tells_generations),
		cmocka_unit_test(joins_arrays),
		cmocka_unit_test(renders_in_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
