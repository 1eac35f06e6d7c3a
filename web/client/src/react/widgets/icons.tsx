import type { ReactElement, ReactNode } from 'react';

function icon(children: ReactNode): () => ReactElement {
  return function Icon() {
    return (
      <svg
        className="calwire-icon"
        viewBox="0 0 24 24"
        width="16"
        height="16"
        fill="none"
        stroke="currentColor"
        strokeWidth="2"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        focusable="false"
      >
        {children}
      </svg>
    );
  };
}

export const CalendarIcon = icon(
  <>
    <rect x="3" y="5" width="18" height="16" rx="3" />
    <path d="M3 10h18M8 3v4M16 3v4" />
  </>,
);
export const ClockIcon = icon(
  <>
    <circle cx="12" cy="12" r="9" />
    <path d="M12 7v5l3 2" />
  </>,
);
export const PinIcon = icon(
  <>
    <path d="M12 21s7-6.2 7-11.5a7 7 0 0 0-14 0C5 14.8 12 21 12 21z" />
    <circle cx="12" cy="9.5" r="2.5" />
  </>,
);
export const VideoIcon = icon(
  <>
    <rect x="2.5" y="6" width="13" height="12" rx="3" />
    <path d="m15.5 11 6-3.5v9l-6-3.5" />
  </>,
);
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
export const ExternalIcon = icon(
  <path d="M14 4h6v6M20 4l-9 9M18 14v4a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h4" />,
);
export const PenIcon = icon(<path d="m4 20 1-4.5L16.5 4a2 2 0 0 1 3 0l.5.5a2 2 0 0 1 0 3L8.5 19zM14.5 6l3.5 3.5" />);
export const BinIcon = icon(<path d="M4 7h16M9 7V4.5h6V7M6.5 7l1 13h9l1-13M10 11v5.5M14 11v5.5" />);
export const PlusIcon = icon(<path d="M12 5v14M5 12h14" />);
export const LeftIcon = icon(<path d="m15 5-7 7 7 7" />);
export const RightIcon = icon(<path d="m9 5 7 7-7 7" />);
export const CloseIcon = icon(<path d="M6 6l12 12M18 6 6 18" />);
export const CheckIcon = icon(<path d="m5 12.5 4.5 4.5L19 7.5" />);
export const RefreshIcon = icon(
  <path d="M20 11a8 8 0 0 0-14.3-4L3.5 9M3.5 4v5h5M4 13a8 8 0 0 0 14.3 4l2.2-2M20.5 20v-5h-5" />,
);
export const WarningIcon = icon(<path d="M12 4 2.5 20h19zM12 10v4.5M12 17.5h.01" />);
export const ListIcon = icon(<path d="M4 6.5h.01M4 12h.01M4 17.5h.01M9 6.5h11M9 12h11M9 17.5h11" />);
