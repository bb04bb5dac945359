import { testTwoDeaths } from '../equipment/seeds/two-deaths.ts';

testTwoDeaths('process');
