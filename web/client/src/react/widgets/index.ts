'use client';

export { AccountManager, type AccountManagerProps } from './account-manager.js';
export type { AccountLabels } from './account-labels.js';
export { AgendaWidget, type AgendaWidgetProps } from './agenda-widget.js';
export type { WidgetProps } from './base.js';
export { CalendarPicker, type CalendarPickerProps } from './calendar-picker.js';
export { type CalendarViewProps, MonthView, WeekView, type WeekViewProps } from './views.js';
export { EventDetails, type EventDetailsProps } from './details.js';
export { englishLabels, type Labels } from './labels.js';
export { NextEventWidget, type NextEventWidgetProps } from './next-event-widget.js';
export { SyncStatus, type SyncStatusProps } from './sync-status.js';
