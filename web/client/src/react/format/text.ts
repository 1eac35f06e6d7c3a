import { safeUrl } from './url.js';

// Embeddings, overrides and isolates: they can turn the text around them. `<bdi>` gives each title its own direction anyway.
const BIDI_CONTROLS = /[\u202A-\u202E\u2066-\u2069]/g;
// Control characters that nobody can see, but for the tab and the line break.
const INVISIBLE = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFEFF]/g;
// Zero-width spaces, joiners and the like, which belong between other characters and are nothing by themselves.
const BLANK = /^[\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]*$/u;

function withoutControls(text: string): string {
  return text.replace(BIDI_CONTROLS, '').replace(INVISIBLE, '');
}

/** Text of an event for one line. Empty when there is nothing to see. */
export function plainLine(text: string | null | undefined): string {
  const line = withoutControls(text ?? '')
    .replace(/\s+/g, ' ')
    .trim();
  return BLANK.test(line) ? '' : line;
}

/** The beginning of a text, cut between characters as people count them. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text;
  let end = 0;
  for (const { index, segment } of new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text)) {
    if (index + segment.length > length - 1) break;
    end = index + segment.length;
  }
  return `${text.slice(0, end).trimEnd()}…`;
}

const MARKUP =
  /<\/?(?:a|b|blockquote|br|code|div|em|font|h[1-6]|hr|html-blob|i|img|li|ol|p|pre|s|span|strong|style|script|svg|table|tbody|td|th|tr|u|ul)\b[^>]*>|&(?:amp|lt|gt|quot|nbsp|apos|#\d+|#x[\da-f]+);/i;
const BLOCKS = new Set([
  'BLOCKQUOTE',
  'DIV',
  'H1',
  'H2',
  'H3',
  'H4',
  'H5',
  'H6',
  'HR',
  'LI',
  'OL',
  'P',
  'PRE',
  'TABLE',
  'TR',
  'UL',
]);
const UNSEEN = new Set(['HEAD', 'IFRAME', 'NOSCRIPT', 'OBJECT', 'SCRIPT', 'STYLE', 'TEMPLATE', 'TITLE']);

/**
 * A description as plain text with its line breaks. Google's may hold HTML: it is parsed in a document that loads nothing
 * and runs nothing, and only its text is taken.
 */
export function plainText(description: string | null | undefined): string {
  const source = description ?? '';
  const text = MARKUP.test(source) && typeof DOMParser !== 'undefined' ? textOfHtml(source) : source;
  return withoutControls(text)
    .replace(/\r\n?/g, '\n')
    .replace(/[^\S\n]+\n/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

const TAGS = /<[a-z][^<>]*/gi;
const HANDLERS = /([\s"'/])on(?=\w+\s*=)/gi;

function textOfHtml(html: string): string {
  // Handlers would not run there either, but a browser reports each to whoever watches over the page's security policy.
  const quiet = html.replace(TAGS, (tag) => tag.replace(HANDLERS, '$1data-'));
  const { body } = new DOMParser().parseFromString(quiet, 'text/html');
  // The items of a list follow what announces them.
  return textOfNode(body).replace(/\n{2,}• /g, '\n• ');
}

function textOfNode(node: Node): string {
  if (node.nodeType === 3) return node.nodeValue ?? '';
  if (node.nodeType !== 1 || UNSEEN.has(node.nodeName)) return '';
  if (node.nodeName === 'BR') return '\n';
  const inner = Array.from(node.childNodes, textOfNode).join('');
  if (node.nodeName === 'A') return withTarget(inner, (node as Element).getAttribute('href'));
  if (!BLOCKS.has(node.nodeName)) return inner;
  return node.nodeName === 'LI' ? `\n• ${inner.trim()}` : `\n${inner}\n`;
}

/** What a link says, and where it leads when that is something else. */
function withTarget(text: string, href: string | null): string {
  const url = safeUrl(href);
  if (!url) return text;
  const shown = text.trim();
  const same = shown === '' || url.includes(shown) || shown.includes(url);
  return same ? shown || url : `${shown} (${url})`;
}

export interface TextPart {
  text: string;
  /** Where this part leads, for a link. */
  url: string | null;
}

/** Plain text with its web addresses found, so that they can be made links. */
export function linkParts(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"]+/gi)) {
    // A full stop or a bracket behind an address belongs to the sentence.
    const address = match[0].replace(/[.,;:!?)\]}'…]+$/, '');
    const url = safeUrl(address);
    if (!url) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index), url: null });
    parts.push({ text: address, url });
    end = match.index + address.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), url: null });
  return parts;
}
