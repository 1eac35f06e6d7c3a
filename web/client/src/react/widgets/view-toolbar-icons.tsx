import { icon } from './icons.js';

export const LeftIcon = icon(<path d="m15 5-7 7 7 7" />);
export const RightIcon = icon(<path d="m9 5 7 7-7 7" />);
export const ListIcon = icon(<path d="M4 6.5h.01M4 12h.01M4 17.5h.01M9 6.5h11M9 12h11M9 17.5h11" />);
