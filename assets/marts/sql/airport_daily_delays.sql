-- A flight is two movements: a departure of one airport, and an arrival of another, or of the same one.
SELECT
    flight_date,
    airport_id,
    MAX(airport) AS airport,
    MAX(city) AS city,
    MAX(state) AS state,
    COUNT(departure) AS departures,
    COUNT(
        CASE WHEN departure IS NOT NULL AND dep_delay IS NULL AND arr_delay IS NULL THEN 1 END
    ) AS cancelled_departures,
    COUNT(CASE WHEN departure IS NOT NULL AND dep_delay >= %(delayed)s THEN 1 END) AS delayed_departures,
    -- Redshift cuts the mean of whole numbers down to a whole number.
    ROUND(
        AVG(CASE WHEN departure IS NOT NULL THEN CAST(dep_delay AS DECIMAL(18, 6)) END), 3
    ) AS avg_dep_delay,
    COUNT(arrival) AS arrivals,
    COUNT(
        CASE WHEN arrival IS NOT NULL AND dep_delay IS NULL AND arr_delay IS NULL THEN 1 END
    ) AS cancelled_arrivals,
    COUNT(
        CASE WHEN arrival IS NOT NULL AND dep_delay IS NOT NULL AND arr_delay IS NULL THEN 1 END
    ) AS diverted_arrivals,
    COUNT(CASE WHEN arrival IS NOT NULL AND arr_delay >= %(delayed)s THEN 1 END) AS delayed_arrivals,
    ROUND(
        AVG(CASE WHEN arrival IS NOT NULL THEN CAST(arr_delay AS DECIMAL(18, 6)) END), 3
    ) AS avg_arr_delay
FROM (
    SELECT
        flight_date,
        origin_airport_id AS airport_id,
        dep_airport AS airport,
        dep_city AS city,
        dep_state AS state,
        1 AS departure,
        CAST(NULL AS INTEGER) AS arrival,
        dep_delay,
        arr_delay
    FROM airlines.daily_flights_processed
    WHERE flight_date IN %(days)s
    UNION ALL
    SELECT
        flight_date,
        dest_airport_id AS airport_id,
        arr_airport AS airport,
        arr_city AS city,
        arr_state AS state,
        CAST(NULL AS INTEGER) AS departure,
        1 AS arrival,
        dep_delay,
        arr_delay
    FROM airlines.daily_flights_processed
    WHERE flight_date IN %(days)s
) AS movements
GROUP BY flight_date, airport_id
