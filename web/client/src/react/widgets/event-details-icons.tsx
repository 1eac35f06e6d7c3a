import { icon } from './icons.js';

export const TextIcon = icon(<path d="M4 7h16M4 12h16M4 17h10" />);
export const PeopleIcon = icon(
  <>
    <circle cx="9" cy="8" r="3.5" />
    <path d="M2.5 20c.6-3.6 3.2-5.5 6.5-5.5s5.9 1.9 6.5 5.5M16 4.9a3.5 3.5 0 0 1 0 6.2M18 14.9c2 .8 3.1 2.6 3.5 5.1" />
  </>,
);
export const RepeatIcon = icon(
  <path d="M17 2.5 20.5 6 17 9.5M3.5 11V9a3 3 0 0 1 3-3h14M7 21.5 3.5 18 7 14.5M20.5 13v2a3 3 0 0 1-3 3h-14" />,
);
export const PenIcon = icon(<path d="m4 20 1-4.5L16.5 4a2 2 0 0 1 3 0l.5.5a2 2 0 0 1 0 3L8.5 19zM14.5 6l3.5 3.5" />);
export const BinIcon = icon(<path d="M4 7h16M9 7V4.5h6V7M6.5 7l1 13h9l1-13M10 11v5.5M14 11v5.5" />);
