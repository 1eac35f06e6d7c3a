import { entryOf } from './entry.js';

/** Channels from 0 to 255. */
type Rgb = readonly [red: number, green: number, blue: number];

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];
/** The background around an event in the dark theme: `--calwire-surface` of the stylesheet. */
const DARK_SURFACE: Rgb = [23, 25, 31];
/** WCAG requires 4.5. The margin allows for a slightly different surface of the host page. */
const CONTRAST = 5;

/** Google's own choice for a calendar without a colour. */
const DEFAULT_COLOUR = '#4285f4';

/** The colours of events, by Google's `colorId`. */
const EVENT_COLOURS: Readonly<Record<string, string>> = {
  '1': '#a4bdfc',
  '2': '#7ae7bf',
  '3': '#dbadff',
  '4': '#ff887c',
  '5': '#fbd75b',
  '6': '#ffb878',
  '7': '#46d6db',
  '8': '#e1e1e1',
  '9': '#5484ed',
  '10': '#51b749',
  '11': '#dc2127',
};

/** An event's own colour, else its calendar's. */
export function colourOf(event: { colorId: string | null }, calendar?: { backgroundColor: string | null }): string {
  const own = event.colorId === null ? undefined : entryOf(EVENT_COLOURS, event.colorId);
  return own ?? calendar?.backgroundColor ?? DEFAULT_COLOUR;
}

function parse(hex: string): Rgb {
  const short = /^#?([\da-f])([\da-f])([\da-f])$/i.exec(hex.trim());
  const full = short
    ? `${short[1]}${short[1]}${short[2]}${short[2]}${short[3]}${short[3]}`
    : hex.trim().replace(/^#/, '');
  if (!/^[\da-f]{6}$/i.test(full)) return parse(DEFAULT_COLOUR);
  const number = Number.parseInt(full, 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

function hexOf(colour: Rgb): string {
  return `#${colour.map((channel) => Math.round(channel).toString(16).padStart(2, '0')).join('')}`;
}

/** Mixes `share` of `over` with the rest of `under`. */
function mix(over: Rgb, under: Rgb, share: number): Rgb {
  const channel = (index: 0 | 1 | 2) => over[index] * share + under[index] * (1 - share);
  return [channel(0), channel(1), channel(2)];
}

function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((channel) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one: Rgb, other: Rgb): number {
  const [lighter, darker] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

/** WCAG's contrast ratio of two colours, 1 to 21. */
export function contrast(one: string, other: string): number {
  return ratio(parse(one), parse(other));
}

/** White if its contrast is at least 4.5, else black. One of the two always is. */
export function readableOn(background: string): string {
  const colour = parse(background);
  return ratio(WHITE, colour) >= 4.5 ? '#ffffff' : '#000000';
}

/** The colour as text on `background`, mixed with `end` only as much as the contrast requires. */
function textIn(colour: Rgb, background: Rgb, end: Rgb): Rgb {
  for (let share = 0; share < 1; share += 0.05) {
    const text = parse(hexOf(mix(end, colour, share)));
    if (ratio(text, background) >= CONTRAST) return text;
  }
  return end;
}

export interface EventColours {
  /** The plain colour, and text on it. */
  solid: string;
  onSolid: string;
  light: { tint: string; text: string };
  dark: { tint: string; text: string };
}

/** All colours of an event, derived from Google's one colour. */
export function eventColours(hex: string): EventColours {
  const colour = parse(hex);
  const light = parse(hexOf(mix(colour, WHITE, 0.16)));
  const dark = parse(hexOf(mix(colour, DARK_SURFACE, 0.26)));
  return {
    solid: hexOf(colour),
    onSolid: readableOn(hexOf(colour)),
    light: { tint: hexOf(light), text: hexOf(textIn(colour, light, BLACK)) },
    dark: { tint: hexOf(dark), text: hexOf(textIn(colour, dark, WHITE)) },
  };
}

const styles = new Map<string, Readonly<Record<`--calwire-event${string}`, string>>>();

/** The same as CSS variables. The stylesheet's `color-scheme` selects between light and dark. */
export function eventStyle(hex: string): Readonly<Record<`--calwire-event${string}`, string>> {
  const known = styles.get(hex);
  if (known) return known;
  const colours = eventColours(hex);
  const style = {
    '--calwire-event': colours.solid,
    '--calwire-event-on': colours.onSolid,
    '--calwire-event-tint': `light-dark(${colours.light.tint}, ${colours.dark.tint})`,
    '--calwire-event-text': `light-dark(${colours.light.text}, ${colours.dark.text})`,
  };
  styles.set(hex, style);
  return style;
}
